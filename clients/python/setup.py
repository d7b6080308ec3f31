"""Builds `tracestore-client`: those modules of the repository that ask a server, and none that needs a compiler."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT: Final = "../.."

ROOMS: Final = [
    "cli",
    "client",
    "doors",
    "evals",
    "exports",
    "parquet_files",
    "templates",
    "tracing",
]
"""Folders of `tracestore`, with those below them; what speaks Flight SQL is a server's."""

BESIDE: Final = {
    "tracestore": {
        "__init__",
        "answer",
        "arrow_compute",
        "bounded_cache",
        "content_types",
        "errors",
        "feedback",
        "importing",
        "lazy_module",
        "limits",
        "object_stores",
        "scopes",
        "scorers",
    },
    "tracestore_query": {"__init__", "errors"},
}
"""Modules of the two roots; the others are parts of a store or a server."""


class BuildClient(build_py):
    """Takes of the roots the modules of the client alone."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """Returns package, name and file of each module that is part of the client."""
        modules: list[tuple[str, str, str]] = super().find_package_modules(package, package_dir)
        wanted = BESIDE.get(package)
        return [module for module in modules if wanted is None or module[1] in wanted]


def version() -> str:
    """Returns the version that the package itself tells."""
    text = Path(ROOT, "tracestore", "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if found is None:
        raise SystemExit("cannot build tracestore-client: tracestore/__init__.py tells no version")
    return found[1]


setup(
    version=version(),
    packages=[
        "tracestore",
        *find_packages(
            ROOT,
            include=[f"tracestore.{room}{below}" for room in ROOMS for below in ("", ".*")],
            exclude=["tracestore.doors.flight"],
        ),
        "tracestore_query",
        "tracestore_query.answer",
    ],
    package_dir={
        "tracestore": f"{ROOT}/tracestore",
        "tracestore_query": f"{ROOT}/query/tracestore_query",
    },
    package_data={
        "tracestore": ["py.typed"],
        "tracestore_query": ["py.typed"],
        "tracestore.doors": ["sql.md"],
    },
    include_package_data=False,
    cmdclass={"build_py": BuildClient},
    zip_safe=False,
)
