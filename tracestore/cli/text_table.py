"""Rows as a table of text, as wide as a terminal or as wide as they are; or a line for each value.

A column of numbers or times is never narrower than its widest cell, any other never than that or `LEAST_WIDTH`. What
finds no place is left out whole, and the line below the table names it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

from tracestore.cli.cells import (
    in_one_line,
    is_cut_in_vain,
    is_number,
    lines_of,
    minute_of,
    padded,
    text_of,
    width_of,
)

LEAST_WIDTH: Final = 12
"""Places that a column keeps, so that a name or the start of a text can be told: as DuckDB's shell leaves."""

_SIDES: Final = len("│ ") + len(" ")
"""Places of a column beside its text; the table's last line is one more."""

NAMED_BELOW: Final = 6
"""Columns that were left out and are named below the table."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column as text.

    Attributes:
        name: the head.
        kind: the type, empty where none is told.
        cells: one line a row.
        right: whether cells stand at the right.
        whole: whether no cell may be cut.
    """

    name: str
    kind: str
    cells: Sequence[str]
    right: bool
    whole: bool

    @property
    def least(self) -> int:
        """Returns the places that it needs to say anything."""
        return self.width if self.whole else min(self.width, LEAST_WIDTH)

    @property
    def width(self) -> int:
        """Returns the places of the widest line."""
        return max(map(width_of, (self.name, self.kind, *self.cells)), default=1) or 1


def columns_of(
    names: Sequence[str],
    kinds: Sequence[str] | None,
    rows: Sequence[Sequence[Any]],
    *,
    to_the_minute: bool = False,
) -> list[Column]:
    """Returns rows as columns of text, with times whole or to the minute."""
    spelled = minute_of if to_the_minute else text_of
    columns = []
    for number, name in enumerate(names):
        values = [row[number] for row in rows]
        present = [value for value in values if value is not None]
        columns.append(
            Column(
                in_one_line(name),
                in_one_line(kinds[number]) if kinds is not None else "",
                [in_one_line(spelled(value)) for value in values],
                right=bool(present) and all(map(is_number, present)),
                whole=bool(present) and all(map(is_cut_in_vain, present)),
            )
        )
    return columns


def table_lines(columns: Sequence[Column], width: int | None) -> Iterator[str]:
    """Yields the lines of a table; `width` None is as wide as it takes."""
    if not columns:
        return
    widths = widths_of(
        [column.width for column in columns], width, [column.least for column in columns]
    )
    shown = columns[: len(widths)]

    def rule(left: str, middle: str, right: str) -> str:
        return left + middle.join("─" * (each + 2) for each in widths) + right

    def line(texts: Sequence[str], *, aligned: bool = True) -> str:
        cells = [
            padded(text, each, right=column.right and aligned)
            for text, each, column in zip(texts, widths, shown, strict=True)
        ]
        return "│ " + " │ ".join(cells) + " │"

    yield rule("┌", "┬", "┐")
    yield line([column.name for column in shown])
    if any(column.kind for column in shown):
        yield line([column.kind for column in shown])
    yield rule("├", "┼", "┤")
    for number in range(len(shown[0].cells)):
        yield line([column.cells[number] for column in shown])
    yield rule("└", "┴", "┘")
    left_out = columns[len(widths) :]
    if left_out:
        yield from _left_out(left_out, width or 0)


def widths_of(natural: Sequence[int], width: int | None, least: Sequence[int]) -> list[int]:
    """Returns the widths of the columns that have a place, from the left.

    Each has at least its least width; what is left goes to those that need more, evenly.
    """
    if width is None:
        return list(natural)
    needed = list(accumulate(own + _SIDES for own in least))
    count = max(1, sum(total + 1 <= width for total in needed))
    places = width - 1 - _SIDES * count
    if count == 1:
        return [max(1, min(natural[0], places))]
    return _shared(natural[:count], least, places)


def vertical_lines(
    names: Sequence[str], rows: Sequence[Sequence[Any]], width: int | None
) -> Iterator[str]:
    """Yields a line for each value, whole; further lines of a value stand below its first."""
    heads = [in_one_line(name) for name in names]
    head_width = max(map(width_of, heads), default=0)
    for number, row in enumerate(rows, start=1):
        title = f"── row {number} "
        yield title + "─" * max(0, (width or 40) - len(title))
        for head, value in zip(heads, row, strict=True):
            first, *more = lines_of(text_of(value))
            yield f"{padded(head, head_width)} │ {first}".rstrip()
            for line in more:
                yield f"{' ' * head_width} │ {line}".rstrip()


def _shared(natural: Sequence[int], least: Sequence[int], places: int) -> list[int]:
    """Returns widths whose sum is at most `places`: what lacks least is whole, the others get as much more alike."""
    widths = list(least[: len(natural)])
    left = places - sum(widths)
    lacking = [own - given for own, given in zip(natural, widths, strict=True)]
    by_need = sorted(range(len(natural)), key=lacking.__getitem__)
    for done, column in enumerate(by_need):
        more = min(lacking[column], left // (len(natural) - done))
        widths[column] += more
        left -= more
    return widths


def _left_out(columns: Sequence[Column], width: int) -> Iterator[str]:
    names = [column.name for column in columns[:NAMED_BELOW]]
    listed = ", ".join([*names, "…"] if len(columns) > NAMED_BELOW else names)
    noun = "column" if len(columns) == 1 else "columns"
    text = f"… {len(columns)} more {noun}: {listed}"
    yield padded(text, min(width, width_of(text)))
    yield "--wide shows all columns, --vertical a line for each value"
