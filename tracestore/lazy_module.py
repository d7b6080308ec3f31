"""Modules that are imported when something of them is first wanted: a program that never wants it starts at once."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from tracestore.errors import NotInstalledError


def import_part(name: str) -> ModuleType:
    """Imports a module that an installation of the client alone may lack, or that needs what it lacks.

    Raises:
        NotInstalledError: where a package is missing.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise NotInstalledError(name, error.name or name) from error


class LazyModule:
    """The stand-in for a module.

    Args:
        name: the module's full name.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_part(self._name), attribute)
