"""What a write did: counts of what was stored, and of what was not and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from tracestore import limits
from tracestore.errors import NothingStoredError


@dataclass(slots=True)
class IngestReport:
    """The result of one request.

    Attributes:
        rows: rows stored by this request.
        duplicates: spans left out since they are stored already, with the same content.
        replaced: earlier versions of spans that these took the place of.
        early: rows of a time before 1973: it was not given in nanoseconds, most likely.
        negative: spans that end before they start.
        rejected: (row, offset, reason) of refused rows, at most MAX_REPORTED_REJECTIONS of them.
        rejected_rows: how many rows were refused.
        repaired_strings: strings that were not UTF-8 and hold U+FFFD now.
        spilled_values: values beyond the bound of distinct paths; kept, without a column.
    """

    rows: int = 0
    duplicates: int = 0
    replaced: int = 0
    early: int = 0
    negative: int = 0
    rejected: list[tuple[int, int, str]] = field(default_factory=list)
    rejected_rows: int = 0
    repaired_strings: int = 0
    spilled_values: int = 0

    def require_some_stored(self) -> None:
        """Raises NothingStoredError where there were rows and every one was refused."""
        if self.rejected_rows and not self.rows and not self.duplicates:
            row, _, reason = self.rejected[0]
            refused = f"all {self.rejected_rows} were refused; row {row}"
            raise NothingStoredError(f"cannot store rows: {refused}: {reason}", self)

    def add_project(self, other: IngestReport) -> None:
        """Adds the share of another project in the same payload, which refuses the same rows."""
        self.rows += other.rows
        self.duplicates += other.duplicates
        self.replaced += other.replaced
        self.early += other.early
        self.negative += other.negative
        self.rejected_rows = max(self.rejected_rows, other.rejected_rows)
        self.rejected = sorted(set(self.rejected) | set(other.rejected))
        self.repaired_strings += other.repaired_strings
        self.spilled_values += other.spilled_values

    def add_payload(self, other: IngestReport, first_row: int) -> None:
        """Adds the report of a further payload whose rows are counted from `first_row`."""
        self.rows += other.rows
        self.duplicates += other.duplicates
        self.replaced += other.replaced
        self.early += other.early
        self.negative += other.negative
        self.rejected_rows += other.rejected_rows
        moved = [(row + first_row, offset, reason) for row, offset, reason in other.rejected]
        self.rejected = (self.rejected + moved)[: limits.MAX_REPORTED_REJECTIONS]
        self.repaired_strings += other.repaired_strings
        self.spilled_values += other.spilled_values
