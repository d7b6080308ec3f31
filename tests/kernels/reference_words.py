"""The twin of the words kernel: UAX 29 in plain Python, with the properties of another library."""

from __future__ import annotations

import functools
import json
from typing import Any

import regex

CLASSES = (
    *("ALetter", "Hebrew_Letter", "Numeric", "Katakana", "ExtendNumLet"),
    *("MidLetter", "MidNum", "MidNumLet", "Single_Quote", "Double_Quote"),
    *("Extend", "Format", "ZWJ", "WSegSpace", "CR", "LF", "Newline", "Regional_Indicator"),
)
IGNORED = {"Extend", "Format", "ZWJ"}
ENDS = {"CR", "LF", "Newline"}
LETTERS = {"ALetter", "Hebrew_Letter"}
MID_LETTERS = {"MidLetter", "MidNumLet", "Single_Quote"}
MID_NUMBERS = {"MidNum", "MidNumLet", "Single_Quote"}


@functools.cache
def class_of(character: str) -> str:
    """Returns the Word_Break property of a character."""
    return next((n for n in CLASSES if regex.match(rf"\p{{WB={n}}}", character)), "Other")


def segments(text: str) -> list[str]:
    """Returns the parts between word boundaries."""
    cuts = [i for i in range(1, len(text)) if is_boundary(text, i)]
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True) if a < b]


def is_boundary(text: str, at: int) -> bool:
    """Tells whether a word ends, or begins, before a character."""
    last, kind = class_of(text[at - 1]), class_of(text[at])
    if (last, kind) == ("CR", "LF"):
        return False
    if last in ENDS or kind in ENDS:
        return True
    if last == "ZWJ" and regex.match(r"\p{Extended_Pictographic}", text[at]):
        return False
    if (last, kind) == ("WSegSpace", "WSegSpace") or kind in IGNORED:
        return False
    before = counted(text[:at])
    after = counted("x" + text[at:])[1:]
    left, left_of_left = [*reversed(before), "", ""][:2]
    right_of_right = [*after, "", ""][1]
    if left == kind == "Regional_Indicator":
        run = 0
        while run < len(before) and before[-1 - run] == "Regional_Indicator":
            run += 1
        return run % 2 == 0
    return not is_joined(left_of_left, left, kind, right_of_right)


def counted(text: str) -> list[str]:
    """Returns the classes of characters, less those that only extend the one before (WB4)."""
    found: list[str] = []
    for character in text:
        kind = class_of(character)
        if kind in IGNORED and found and found[-1] not in ENDS:
            continue
        found.append(kind)
    return found


def is_joined(left_of_left: str, left: str, right: str, right_of_right: str) -> bool:
    """Tells whether rules WB5 to WB13b join two characters."""
    alike = LETTERS | {"Numeric"}
    extended = LETTERS | {"Numeric", "Katakana", "ExtendNumLet"}
    return any(
        (
            left in alike and right in alike,
            left in LETTERS and right in MID_LETTERS and right_of_right in LETTERS,
            left_of_left in LETTERS and left in MID_LETTERS and right in LETTERS,
            left == "Hebrew_Letter" and right == "Single_Quote",
            (left, right, right_of_right) == ("Hebrew_Letter", "Double_Quote", "Hebrew_Letter"),
            (left_of_left, left, right) == ("Hebrew_Letter", "Double_Quote", "Hebrew_Letter"),
            left_of_left == "Numeric" and left in MID_NUMBERS and right == "Numeric",
            left == "Numeric" and right in MID_NUMBERS and right_of_right == "Numeric",
            left == right == "Katakana",
            left in extended and right == "ExtendNumLet",
            left == "ExtendNumLet" and right in extended,
        )
    )


def words(text: str) -> list[str]:
    """Returns the words of a text in one case."""
    kept = r"[\p{L}\p{N}\p{WB=ALetter}\p{WB=Hebrew_Letter}\p{WB=Numeric}\p{WB=Katakana}]"
    return ["".join(map(fold, part)) for part in segments(text) if regex.search(kept, part)]


def fold(character: str) -> str:
    """Returns a character in the case in which words are compared."""
    either = (character.casefold(), character.lower(), character.lower()[0])
    return next(c for c in either if len(c) == 1)


def texts_of(value: Any) -> list[str]:
    """Returns the texts of a JSON value that are searched."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts_of(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts_of(item)]
    if value is None:
        return []
    return [value if isinstance(value, str) else json.dumps(value)]
