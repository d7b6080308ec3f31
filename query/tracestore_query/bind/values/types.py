"""Types of expressions as the engine spells them, and the kinds of values that they hold."""

from __future__ import annotations

import enum
import functools
import re
from typing import Final

from tracestore_query.language.value_macros import VALUE

ITEM: Final = "STRUCT(__item VARCHAR)"
"""The type of JSON text that stands for a value and becomes one where it is needed; in the query it is a text."""

NULL: Final = '"NULL"'
"""The engine's type of a NULL that has none."""


class Kind(enum.StrEnum):
    """What a value is; the first five are in the order of values."""

    NUMBER = "numbers"
    TEXT = "strings"
    BOOLEAN = "booleans"
    LIST = "lists"
    OBJECT = "objects"
    TIME = "times"
    JSON = "JSON"
    OTHER = "others"


SPELLED: Final = "text of any"
"""Stands for VARCHAR where values of every kind count, as the text that they spell."""

EVERY: Final = frozenset({Kind.NUMBER, Kind.TEXT, Kind.BOOLEAN, Kind.LIST, Kind.OBJECT})
"""The kinds that a tagged value may be of."""

_NUMBER = re.compile(
    r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|FLOAT|BIGNUM|DECIMAL\(.*\)|DECIMAL"
)
_INTEGER = re.compile(r"(TINY|SMALL|BIG)?INT(EGER)?|U(TINY|SMALL)?INT(EGER)?")
_TIME = re.compile(r"DATE|TIME.*|INTERVAL")


@functools.lru_cache(maxsize=4096)
def kind_of(sql_type: str) -> Kind:
    """Returns the kind of a type's values."""
    kind = Kind.OTHER
    if sql_type.endswith("]"):
        kind = Kind.LIST
    elif _NUMBER.fullmatch(sql_type):
        kind = Kind.NUMBER
    elif sql_type == "VARCHAR" or sql_type.startswith("ENUM("):
        kind = Kind.TEXT
    elif sql_type == "BOOLEAN":
        kind = Kind.BOOLEAN
    elif sql_type == "JSON":
        kind = Kind.JSON
    elif _TIME.fullmatch(sql_type):
        kind = Kind.TIME
    elif sql_type.startswith(("STRUCT(", "MAP(")):
        kind = Kind.OBJECT
    return kind


def is_integer(sql_type: str) -> bool:
    """Tells whether a type's values are integers that 64 bits hold."""
    return _INTEGER.fullmatch(sql_type) is not None


def item_type(list_type: str) -> str:
    """Returns the type of a list's items."""
    return list_type[: list_type.rindex("[")]


def is_open(sql_type: str) -> bool:
    """Tells whether a type's values may be of several kinds."""
    return sql_type in {VALUE, ITEM}


def is_wavering(sql_type: str) -> bool:
    """Tells whether the place of an expression decides which of its values count."""
    while sql_type.endswith("[]"):
        sql_type = sql_type[:-2]
    return is_open(sql_type)
