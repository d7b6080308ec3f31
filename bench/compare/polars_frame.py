"""Polars over the NDJSON file itself: no load, a scan for every question."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable
from pathlib import Path as File
from typing import Any

from bench.compare.questions import Path
from bench.compare.system import CannotAnswerError, Rows, System

Question = Callable[[Any, Any, Callable[[str], Any]], Any]


class PolarsNdjson(System):
    """Is `scan_ndjson` with a schema that is inferred from all rows once, when it is opened."""

    title = "polars ndjson"
    package = "polars"
    settings = "scan_ndjson, schema inferred from all rows when opened; questions as expressions"

    def load(self, file: File) -> None:
        """Copies the file."""
        shutil.copy(file, self.folder / "rows.ndjson")

    def open(self) -> None:
        """Infers the schema."""
        self._polars: Any = importlib.import_module("polars")
        file = self.folder / "rows.ndjson"
        schema = self._polars.scan_ndjson(file, infer_schema_length=None).collect_schema()
        self._frame = self._polars.scan_ndjson(file, schema=schema)

    def close(self) -> None:
        """Forgets the schema."""
        del self._frame

    def question(self, name: str) -> str:
        """Returns the question's name: there is no SQL over JSON.

        Raises:
            CannotAnswerError: where no expression was written for it.
        """
        if name not in _QUESTIONS:
            raise CannotAnswerError("no expression written for it")
        return name

    def ask(self, text: str) -> Rows:
        """Evaluates the expression of a question."""
        answer = _QUESTIONS[text](self._polars, self._frame, self._column)
        rows: Rows = answer.collect().rows()
        return rows

    def _column(self, name: str) -> Any:
        path = self.workload.paths[name]
        value = self._polars.col(path.variant)
        for key in path.keys:
            value = value.struct.field(key)
        if path.kind == "BIGINT":
            return value.cast(self._polars.Int64, strict=False)
        return value

    def table(self) -> str:
        """Is not asked for."""
        return ""

    def path(self, name: str, path: Path) -> str:
        """Is not asked for."""
        del path
        return name

    def messages(self, path: Path) -> str:
        """Is not asked for."""
        del path
        return ""


def _top(pl: Any, grouped: Any, by: str, rows: int) -> Any:
    del pl
    return grouped.sort([by, "k"], descending=[True, False]).head(rows)


def _posts(pl: Any, frame: Any, c: Callable[[str], Any]) -> Any:
    del pl
    posted = (c("kind") == "commit") & (c("operation") == "create")
    return frame.filter(posted & (c("event") == "app.bsky.feed.post")).group_by(c("did").alias("k"))


_QUESTIONS: dict[str, Question] = {
    "Q1 count by group": lambda pl, f, c: f.group_by(c("group").alias("k")).agg(pl.len().alias("n")),
    "Q2 sum by user": lambda pl, f, c: _top(
        pl, f.group_by(c("user").alias("k")).agg(c("number").sum().alias("n")), "n", 10
    ),
    "Q4 rare key": lambda pl, f, c: f.filter(c("rare") > 0).select(pl.len()),
    "Q5 mixed types": lambda pl, f, c: f.filter(c("mixed") >= 200).select(pl.len()),
    "Q6 nested range": lambda pl, f, c: f.filter(c("nested").is_between(2, 5)).select(
        pl.len().alias("n"), c("number").sum().alias("s")
    ),
    "Q7 top 10": lambda _, f, c: f.select("span_id", c("score").alias("s"))
    .sort(["s", "span_id"], descending=[True, False])
    .head(10),
    "Q10 contains": lambda pl, f, c: f.filter(c("text").str.contains("refund", literal=True)).select(pl.len()),
    "B1 events": lambda pl, f, c: f.group_by(c("event").alias("k")).agg(pl.len().alias("n")),
    "B4 first to post": lambda pl, f, c: _posts(pl, f, c)
    .agg(c("time").min().alias("t"))
    .sort(["t", "k"])
    .head(3),
    "B5 longest activity": lambda pl, f, c: _top(
        pl, _posts(pl, f, c).agg((c("time").max() - c("time").min()).alias("t")), "t", 3
    ),
}  # fmt: skip
