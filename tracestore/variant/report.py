"""What one append did."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Report:
    """The result of shredding one payload.

    Attributes:
        rows: rows appended.
        rejected: (row, offset, reason) of the rows refused, the first `limits.MAX_REPORTED_REJECTIONS` of them;
            `row` counts the payload's rows from 0, `offset` its bytes after decompression.
        rejected_rows: how many rows were refused in all.
        repaired_strings: strings whose bytes were no UTF-8 and now hold U+FFFD.
        spilled_values: values whose path came after the path limit; they are kept as text in `_overflow`.
    """

    rows: int = 0
    rejected: list[tuple[int, int, str]] = field(default_factory=list)
    rejected_rows: int = 0
    repaired_strings: int = 0
    spilled_values: int = 0
