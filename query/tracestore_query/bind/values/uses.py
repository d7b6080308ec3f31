"""What a place of a query takes of the values that stand there (docs/guide/sql.md, "Types")."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sqlglot import exp


class Use(enum.Enum):
    """Which values count, and as what."""

    BARE = enum.auto()
    """As they are: in the engine's type where all rows have one, else as tagged values."""
    VALUE = enum.auto()
    """As tagged values, whatever their types."""
    NUMBER = enum.auto()
    TEXT = enum.auto()
    BOOL = enum.auto()
    LIST = enum.auto()
    """Lists, of items of the type that `Want.item` names."""
    CAST = enum.auto()
    """All of them, converted where that is possible."""
    JSON = enum.auto()
    TYPEOF = enum.auto()
    PRESENT = enum.auto()


@dataclass(frozen=True, slots=True)
class Want:
    """A use, and the type wanted.

    Attributes:
        to: what a CAST converts to; for a NUMBER or a TEXT, what it is converted to where that is possible.
        item: the type of a LIST's items, None for that of the data.
        is_stored: for JSON, whether attributes that moved to columns of their own are left there.
    """

    use: Use
    to: exp.DataType | None = None
    item: str | None = None
    is_stored: bool = False


BARE = Want(Use.BARE)
VALUE = Want(Use.VALUE)
NUMBER = Want(Use.NUMBER)
TEXT = Want(Use.TEXT)
BOOL = Want(Use.BOOL)
LIST = Want(Use.LIST)
AS_VARCHAR = Want(Use.CAST, exp.DataType.build("VARCHAR", dialect="duckdb"))
