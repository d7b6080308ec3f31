"""Polars over the NDJSON file itself: no load, a scan for every question."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable
from pathlib import Path as File
from typing import Any

from bench.compare.questions import Path
from bench.compare.system import Rows, System

# From the module, the frame, what gives a path's column, and the trace that is asked for.
Question = Callable[[Any, Any, Callable[[str], Any], str], Any]


class PolarsNdjson(System):
    """A `scan_ndjson` whose schema is inferred from all rows once, when it is opened."""

    title = "polars ndjson"
    package = "polars"
    settings = "scan_ndjson, schema inferred from all rows when opened; questions as expressions"

    loads = False

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
        """Returns the question's name: there is no SQL over JSON."""
        return name

    def ask(self, text: str) -> Rows:
        """Evaluates the expression of a question."""
        answer = _QUESTIONS[text](self._polars, self._frame, self._column, self.trace)
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


def _top(grouped: Any, by: str, rows: int) -> Any:
    return grouped.sort([by, "k"], descending=[True, False]).head(rows)


def _posts(frame: Any, c: Callable[[str], Any]) -> Any:
    posted = (c("kind") == "commit") & (c("operation") == "create")
    return frame.filter(posted & (c("event") == "app.bsky.feed.post")).group_by(c("did").alias("k"))


def _created(frame: Any, c: Callable[[str], Any]) -> Any:
    return frame.filter((c("kind") == "commit") & (c("operation") == "create"))


def _by_hour(pl: Any, frame: Any, c: Callable[[str], Any]) -> Any:
    wanted = ["app.bsky.feed.post", "app.bsky.feed.repost", "app.bsky.feed.like"]
    hour = ((c("time") // 3_600_000_000) % 24).alias("h")
    grouped = (
        _created(frame, c).filter(c("event").is_in(wanted)).group_by(c("event").alias("k"), hour)
    )
    return grouped.agg(pl.len().alias("n"))


def _compared(pl: Any, frame: Any, c: Callable[[str], Any]) -> Any:
    first, second = (
        frame.filter(pl.col("experiment") == name).select(
            c("case").alias("c"), c("score").alias(name)
        )
        for name in ("a", "b")
    )
    return first.join(second, on="c").select(
        pl.len().alias("n"), (pl.col("b") - pl.col("a")).mean().alias("d")
    )


def _roles(pl: Any, frame: Any, c: Callable[[str], Any]) -> Any:
    role = c("messages").list.eval(pl.element().struct.field("role")).alias("role")
    # A row without messages has no message.
    roles = frame.select(role).filter(pl.col("role").list.len() > 0).explode("role")
    return roles.group_by("role").agg(pl.len().alias("n"))


_QUESTIONS: dict[str, Question] = {
    "Q1 count by group": lambda pl, f, c, _: f.group_by(c("group").alias("k")).agg(pl.len().alias("n")),
    "Q2 sum by user": lambda _, f, c, __: _top(
        f.group_by(c("user").alias("k")).agg(c("number").sum().alias("n")), "n", 10
    ),
    "Q3 p95 by service and 5 minutes": lambda pl, f, _, __: f.group_by(
        "service", (pl.col("start_ns") - pl.col("start_ns") % 300_000_000_000).alias("b")
    ).agg(pl.col("duration_ns").quantile(0.95, "linear").alias("p")),
    "Q4 rare key": lambda pl, f, c, _: f.filter(c("rare") > 0).select(pl.len()),
    "Q5 mixed types": lambda pl, f, c, _: f.filter(c("mixed") >= 200).select(pl.len()),
    "Q6 nested range": lambda pl, f, c, _: f.filter(c("nested").is_between(2, 5)).select(
        pl.len().alias("n"), c("number").sum().alias("s")
    ),
    "Q7 top 10": lambda _, f, c, __: f.select("span_id", c("score").alias("s"))
    .sort(["s", "span_id"], descending=[True, False], nulls_last=True)
    .head(10),
    "Q8 trace by id": lambda pl, f, _, trace: f.filter(pl.col("trace_id") == trace).select("span_id", "name"),
    "Q9 latest 50 whole": lambda _, f, __, ___: f.sort("start_ns", descending=True)
    .head(50)
    .select("span_id", "attributes"),
    "Q10 contains": lambda pl, f, c, _: f.filter(c("text").str.contains("refund", literal=True)).select(pl.len()),
    "Q11 experiment and experiment": lambda pl, f, c, _: _compared(pl, f, c),
    "Q12 messages by role": lambda pl, f, c, _: _roles(pl, f, c),
    "B1 events": lambda pl, f, c, _: f.group_by(c("event").alias("k")).agg(pl.len().alias("n")),
    "B2 events and users": lambda pl, f, c, _: _created(f, c).group_by(c("event").alias("k")).agg(
        pl.len().alias("n"), c("did").n_unique().alias("u")
    ),
    "B3 events by hour": lambda pl, f, c, _: _by_hour(pl, f, c),
    "B4 first to post": lambda _, f, c, __: _posts(f, c)
    .agg(c("time").min().alias("t"))
    .sort(["t", "k"])
    .head(3),
    "B5 longest activity": lambda _, f, c, __: _top(
        _posts(f, c).agg((c("time").max() - c("time").min()).alias("t")), "t", 3
    ),
}  # fmt: skip
