"""Writes tracestore/_native/word_break.h: how Unicode's characters break words, and what each is in lower case.

Run it when a new version of Unicode should count: `python tests/kernels/write_word_break.py`. The words that a store's
sidecars hold follow from these tables, so that a change of them is a change of the format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import regex

HEADER = Path(__file__).parents[2] / "tracestore/_native/word_break.h"
CLASSES = (
    *("Other", "ALetter", "Hebrew_Letter", "Numeric", "Katakana", "ExtendNumLet"),
    *("MidLetter", "MidNum", "MidNumLet", "Single_Quote", "Double_Quote"),
    *("Extend", "Format", "ZWJ", "WSegSpace", "CR", "LF", "Newline", "Regional_Indicator"),
)
OF_WORDS, PICTOGRAPH = 32, 64
"""Bits beside a class: a character that makes a word of what it stands in, and one that a joiner binds to."""

ITEMS_PER_LINE = 8


def characters() -> Iterator[str]:
    """Yields every character that a text may hold."""
    return (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)


def classes() -> dict[int, int]:
    """Returns the class and bits of every character that has any."""
    text = "".join(characters())
    found: dict[int, int] = {}
    for value, name in enumerate(CLASSES):
        if value:
            for match in regex.finditer(rf"\p{{Word_Break={name}}}", text):
                found[ord(match[0])] = value
    words = r"[\p{L}\p{N}\p{WB=ALetter}\p{WB=Hebrew_Letter}\p{WB=Numeric}\p{WB=Katakana}]"
    for pattern, bit in ((words, OF_WORDS), (r"\p{Extended_Pictographic}", PICTOGRAPH)):
        for match in regex.finditer(pattern, text):
            found[ord(match[0])] = found.get(ord(match[0]), 0) | bit
    return found


def folded(character: str) -> str:
    """Returns a character in the one case in which words are compared: one character for one.

    Of the one character that Unicode makes two of, a capital I with a dot, the dot is left out, as the engine does.
    """
    either = (character.casefold(), character.lower(), character.lower()[0])
    return next(each for each in either if len(each) == 1)


def ranges(values: dict[int, int]) -> list[tuple[int, int, int]]:
    """Returns runs of neighbours of one value, as first, last and value."""
    runs: list[tuple[int, int, int]] = []
    for code in sorted(values):
        if runs and runs[-1][1] == code - 1 and runs[-1][2] == values[code]:
            runs[-1] = (runs[-1][0], code, values[code])
        else:
            runs.append((code, code, values[code]))
    return runs


def _table(
    name: str, comment: str, rows: Iterable[tuple[int, ...]], form: Callable[..., str]
) -> str:
    items = [form(*row) for row in rows]
    lines = [
        " ".join(items[start : start + ITEMS_PER_LINE])
        for start in range(0, len(items), ITEMS_PER_LINE)
    ]
    body = "\n".join(f"    {line}" for line in lines)
    width = "3" if name == "ts_word_classes" else "2"
    return f"/* {comment} */\nstatic const int32_t {name}[][{width}] = {{\n{body}\n}};\n"


def header() -> str:
    """Returns the text of the header."""
    pairs = [(ord(each), ord(folded(each))) for each in characters() if folded(each) != each]
    return "\n".join(
        (
            "/* How characters break words (Unicode, UAX 29), and their one case. Written by",
            "   tests/kernels/write_word_break.py; never by hand. */",
            "#ifndef TS_WORD_BREAK_H",
            "#define TS_WORD_BREAK_H",
            "#include <stdint.h>",
            "",
            _table(
                "ts_word_classes",
                "first, last, class and bits; in order",
                ranges(classes()),
                lambda first, last, value: f"{{{first},{last},{value}}},",
            ),
            _table(
                "ts_word_folds",
                "character, and the one that it counts as",
                pairs,
                lambda one, other: f"{{{one},{other}}},",
            ),
            "#endif",
            "",
        )
    )


if __name__ == "__main__":
    HEADER.write_text(header())
