"""A group of commands whose modules are imported when one of them runs: asking for help loads none of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from tracestore.cli import collector
from tracestore.lazy_module import import_part


@dataclass(frozen=True, slots=True)
class Listed:
    """One command of the list that help shows.

    Attributes:
        home: the module and the name in it, `module:name`: a function, or a Typer of several commands.
        help: the first sentence of the command's own help.
        panel: the heading below which help lists it.
    """

    home: str
    help: str
    panel: str


class LazyGroup(TyperGroup):
    """A group that knows its commands by a list.

    Attributes:
        listed: the commands by name, in the order in which help shows them; a subclass has its own.
    """

    listed: Mapping[str, Listed] = {}
    _for_help = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the names in the order of the list."""
        del ctx
        return list(self.listed)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        """Returns a command; while help is written, one that knows its name and its first sentence."""
        del ctx
        listed = self.listed.get(cmd_name)
        if listed is None:
            return None
        if self._for_help:
            return TyperCommand(cmd_name, help=listed.help, rich_help_panel=listed.panel)
        with collector.held_off():
            return load(cmd_name, listed)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the help of the group from the list alone."""
        self._for_help = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._for_help = False


def load(name: str, listed: Listed) -> TyperCommand:
    """Imports a command and returns it."""
    module, _, attribute = listed.home.partition(":")
    found = getattr(import_part(module), attribute)
    if isinstance(found, typer.Typer):
        command = cast("TyperCommand", typer.main.get_command(found))
        command.name = name
        return command
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name=name)(found)
    command = cast("TyperCommand", typer.main.get_command(single))
    # A docstring is as wide as code; help breaks its lines where the terminal ends.
    command.help = "\n\n".join(_paragraphs(command))
    return command


def summary(command: TyperCommand) -> str:
    """Returns the first paragraph of a command's help: what the list must say of it."""
    return next(_paragraphs(command), "")


def _paragraphs(command: TyperCommand) -> Iterator[str]:
    """Yields the paragraphs of a command's help, each in one line."""
    for paragraph in (command.help or "").split("\n\n"):
        yield " ".join(paragraph.split())
