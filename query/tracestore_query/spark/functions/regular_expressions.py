"""Patterns of RE2, as the engine has them, as patterns of Java that match the same."""

from __future__ import annotations

import re
from typing import Final

from tracestore_query.errors import SparkRefusedError

_WORD: Final = "[0-9A-Za-z_]"
_BOUNDARY: Final = f"(?:(?<={_WORD})(?!{_WORD})|(?<!{_WORD})(?={_WORD}))"
_INSIDE: Final = f"(?:(?<={_WORD})(?={_WORD})|(?<!{_WORD})(?!{_WORD}))"
_SPACES: Final = r"[\t\n\f\r ]"
_SAME_ESCAPES: Final = frozenset("dDwWnrtfavxzA.\\+*?()[]{}|^$-/\"'#&~ :;,<>=!@%_`")
_TOKEN: Final = re.compile(
    r"\\x\{[^}]*\}|\\x[0-9A-Fa-f]{2}|\\.|\[\^?(?:\\.|[^\]\\])*\]|\(\?[a-zA-Z]*[:)]|[\^$]", re.DOTALL
)
_PLACES: Final = frozenset({"^", "$", r"\b", r"\B", r"\A", r"\z"})
_COUNT: Final = re.compile(r"\{[0-9]+(,[0-9]*)?\}")
_FLAGS: Final = {"i": "iu", "c": "", "s": "s", "g": ""}


def java_pattern(pattern: str, options: str = "") -> str:
    """Returns a pattern of Java for one of RE2.

    Args:
        pattern: of the engine.
        options: letters that the engine's functions take behind it.

    Raises:
        SparkRefusedError: where the two do not mean the same.
    """
    flags = "d"
    for letter in options:
        if letter not in _FLAGS:
            raise _refused(f"option {letter!r}")
        flags += _FLAGS[letter]
    return f"(?{flags}){_translated(pattern)}"


def refuse_empty_matches(pattern: str) -> None:
    """Refuses a pattern of RE2 that may match no letter: where it does behind a match the two do not agree.

    Raises:
        SparkRefusedError: for such a pattern, and for one of which it cannot be told.
    """
    try:
        may_be_empty = re.fullmatch(_TOKEN.sub(_bare, pattern), "") is not None
    except re.error:
        may_be_empty = True
    if may_be_empty:
        raise SparkRefusedError.of(
            "a regular expression that may match no letter", "use + in the place of *"
        )


def _bare(token: re.Match[str]) -> str:
    """Returns a part of a pattern with a letter for each that stands for one, without what only looks at a place."""
    found = token[0]
    if found in _PLACES or re.fullmatch(r"\(\?[a-zA-Z]*\)", found):
        return "(?:)"
    return "(?:" if found.startswith("(?") else "x"


def _translated(pattern: str) -> str:
    out: list[str] = []
    at, in_class = 0, False
    while at < len(pattern):
        two = pattern[at : at + 2]
        if two[0] == "\\":
            out.append(_escape(two, in_class))
            at += 2
            continue
        if in_class:
            in_class = two[0] != "]"
            if two == "[:" or two[0] == "[" or two == "&&":
                raise _refused(f"{two} in a class")
        elif two[0] == "[":
            in_class = True
            if pattern[at + 1 : at + 2] == "]" or pattern[at + 1 : at + 3] == "^]":
                raise _refused("a class that begins with ]")
        elif two[0] == "{" and not _COUNT.match(pattern, at):
            raise _refused("{ that begins no number")
        elif two == "(?":
            flags = _flags(pattern[at + 2 :])
            out.append(f"(?{flags}")
            at += 2 + len(flags.replace("u", ""))
            continue
        out.append(r"\z" if two[0] == "$" and not in_class else two[0])
        at += 1
    return "".join(out)


def _escape(two: str, in_class: bool) -> str:
    letter = two[1:]
    if letter == "b" and not in_class:
        return _BOUNDARY
    if letter == "B" and not in_class:
        return _INSIDE
    if letter == "s":
        return r"\t\n\f\r " if in_class else _SPACES
    if letter == "S" and not in_class:
        return f"[^{_SPACES[1:]}"
    if letter not in _SAME_ESCAPES:
        raise _refused(two)
    return two


def _flags(after: str) -> str:
    """Returns the letters behind `(?` as Java has them: for letters of all alphabets it wants another."""
    flags = re.split("[:)]", after, maxsplit=1)[0]
    if not set(flags) <= {"i", "s"} or len(set(flags)) < len(flags):
        raise _refused(f"(?{after[:2]}")
    return flags.replace("i", "iu")


def _refused(what: str) -> SparkRefusedError:
    return SparkRefusedError.of(
        f"{what} of a regular expression", "use LIKE, or a plainer expression"
    )


def java_replacement(text: str, shift: int = 0) -> str:
    r"""Returns a replacement of Java for one of RE2, whose groups are `\1`.

    Args:
        text: of the engine.
        shift: groups that stand before those of the pattern.
    """
    out: list[str] = []
    at = 0
    while at < len(text):
        letter = text[at]
        if letter == "\\" and text[at + 1 : at + 2].isdigit():
            number = int(text[at + 1])
            out.append(f"${number + shift if number else 0}")
            at += 2
            continue
        if letter == "\\" and text[at + 1 : at + 2] == "\\":
            at += 1
        out.append(f"\\{letter}" if letter in "\\$" else letter)
        at += 1
    return "".join(out)
