"""Values as text in a cell: one line, nothing that a terminal would obey, as wide as it says."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable
from typing import Any, Final

from rich.cells import cell_len, set_cell_size

MISSING: Final = "NULL"

CUT: Final = "…"

_TOLD_WIDTH_CHARACTERS: Final = 8
"""Characters a column of width one can hold at most: letters with marks above are several characters."""

_OBEYED: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Controls, marks that turn the direction of text, and halves of surrogates: a terminal obeys them or fails."""

_SPELLINGS: Final[dict[type, Callable[[Any], str]]] = {
    datetime.datetime: lambda time: time.isoformat(" "),
}

_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def text_of(value: Any) -> str:
    """Returns a value as a reader wants to see it, lines and all."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, default=text_of, ensure_ascii=False)
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return MISSING if value is None else _SPELLINGS.get(type(value), str)(value)


def minute_of(value: Any) -> str:
    """Returns a value as text, a time with a zone to the minute in UTC."""
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return f"{value.astimezone(datetime.UTC):%Y-%m-%d %H:%M}"
    return text_of(value)


def in_one_line(text: str) -> str:
    """Returns text in which everything that a terminal would obey is spelled out."""
    return text if text.isprintable() else _OBEYED.sub(_spelled, text)


def lines_of(text: str) -> list[str]:
    """Returns the lines of a text, in which nothing is left that a terminal would obey."""
    return [in_one_line(line) for line in text.replace("\r\n", "\n").split("\n")]


def width_of(text: str) -> int:
    """Returns how many places of a terminal a line takes."""
    return len(text) if text.isascii() else cell_len(text)


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Returns a line that is exactly so wide; a longer one is cut and says so."""
    missing = width - width_of(text)
    if missing >= 0:
        return " " * missing + text if right else text + " " * missing
    short = set_cell_size(text[: width * _TOLD_WIDTH_CHARACTERS], width - 1).rstrip()
    return padded(short + CUT, width)


def is_number(value: Any) -> bool:
    """Tells whether a value is written at the right of its column."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_cut_in_vain(value: Any) -> bool:
    """Tells whether a part of a value says nothing, or something wrong: of a number, a time or a truth value."""
    return isinstance(value, int | float | datetime.date)


def _spelled(match: re.Match[str]) -> str:
    character = match[0]
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
