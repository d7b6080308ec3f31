"""Paths and leaf column names: lists of keys and their text forms.

A path is a list: text keys, and whole numbers that index arrays in queries. Stored paths hold keys only.
In text, keys are joined by dots; a key that is empty or holds a dot, colon, quote, bracket, backslash,
space or control character is written as a JSON string. docs/format/shredding.md, "Names", is the specification.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

from tracestore.errors import PathSyntaxError
from tracestore.variant.leaf_types import LEAF_TYPES

# Must agree with `key_is_bare` of the native builder; a test compares the two.
_BARE_KEY: Final = re.compile(r'[^\x00-\x20\x7f.:"\[\]\\]+')
_QUOTED_KEY: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|"")*"')
_ESCAPE_OR_DOUBLED: Final = re.compile(r'\\.|""')
_INDEX: Final = re.compile(r"\[(-?[0-9]{1,9})\]")


def format_path(path: Sequence[str | int]) -> str:
    """Returns the text form of a path; `parse_path` gives the path back."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        else:
            if parts:
                parts.append(".")
            parts.append(_format_key(step))
    return "".join(parts)


def parse_path(text: str) -> list[str | int]:
    """Returns the path a text form names; the empty text is the root.

    A quoted key may double its quotes, as SQL does, instead of escaping them.

    Raises:
        PathSyntaxError: naming the position that cannot be read.
    """
    path: list[str | int] = []
    at = 0
    expect_key = bool(text) and not text.startswith("[")
    while expect_key or at < len(text):
        if not expect_key and text[at] == "[":
            index = _INDEX.match(text, at)
            if index is None:
                raise PathSyntaxError(
                    f"cannot parse path {text!r}: expected an array index at {at}"
                )
            path.append(int(index.group(1)))
            at = index.end()
            continue
        if not expect_key:
            if text[at] != ".":
                raise PathSyntaxError(f"cannot parse path {text!r}: expected '.' or '[' at {at}")
            at += 1
        key, at = _parse_key(text, at)
        path.append(key)
        expect_key = False
    return path


def leaf_name(path: Sequence[str], leaf_type: str) -> str:
    """Returns the column name of a leaf: its path's text form, a colon, its type."""
    if leaf_type not in LEAF_TYPES:
        raise PathSyntaxError(
            f"cannot name a leaf: unexpected type {leaf_type!r}; want one of {', '.join(LEAF_TYPES)}"
        )
    return f"{format_path(path)}:{leaf_type}"


def parse_leaf_name(name: str) -> tuple[list[str], str]:
    """Returns the (path, type) of a leaf column's name.

    Raises:
        PathSyntaxError: where the name is not one of a leaf column.
    """
    text, colon, leaf_type = name.rpartition(":")
    if not colon or leaf_type not in LEAF_TYPES:
        raise PathSyntaxError(
            f"cannot parse leaf column name {name!r}: it does not end with a leaf type"
        )
    path = parse_path(text)
    keys = [step for step in path if isinstance(step, str)]
    if len(keys) != len(path):
        raise PathSyntaxError(
            f"cannot parse leaf column name {name!r}: a stored path holds no array index"
        )
    return keys, leaf_type


def without_quoted_keys(text: str) -> str:
    """Returns a path's text less its quoted keys: what is left of brackets has a meaning."""
    return _QUOTED_KEY.sub("", text)


def _format_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _parse_key(text: str, at: int) -> tuple[str, int]:
    """Returns the key at a position, and the position after it."""
    if text.startswith('"', at):
        quoted = _QUOTED_KEY.match(text, at)
        if quoted is None:
            raise PathSyntaxError(f"cannot parse path {text!r}: unclosed or bad quoted key at {at}")
        body = _ESCAPE_OR_DOUBLED.sub(
            lambda match: '\\"' if match.group() == '""' else match.group(), quoted.group()[1:-1]
        )
        key: str = json.loads(f'"{body}"')
        return key, quoted.end()
    bare = _BARE_KEY.match(text, at)
    if bare is None:
        raise PathSyntaxError(f"cannot parse path {text!r}: expected a key at {at}")
    return bare.group(), bare.end()
