"""Sets of spans as SQL of the language: each a table, and what holds between two of them a join."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tracestore_query.doors.traceql import tree
from tracestore_query.doors.traceql.conditions import OF_TRACES, Conditions
from tracestore_query.tables.names import quoted
from tracestore_query.tables.span_end import TOGETHER_NS

_JOINS: Final = {
    ">": "a.span_id = b.parent_span_id",
    "<": "a.parent_span_id = b.span_id",
    "~": "a.parent_span_id = b.parent_span_id AND a.span_id <> b.span_id",
}
_MIRRORED: Final = {">": "<", "<": ">", ">>": "<<", "<<": ">>", "~": "~"}


@dataclass(frozen=True, slots=True)
class Window:
    """Which spans are looked at: those that begin within a time, and of some traces where they are known."""

    begin: dt.datetime | None = None
    end: dt.datetime | None = None
    trace_ids: Sequence[str] | None = None

    def sql(self) -> str:
        """Returns the condition; its times are `$begin` and `$end`."""
        parts = ["start_time >= $begin"] if self.begin is not None else []
        parts += ["start_time < $end"] if self.end is not None else []
        if self.trace_ids is not None:
            parts.append(f"trace_id IN ({', '.join(map(quoted, self.trace_ids))})")
        return " AND ".join(parts) or "true"

    def values(self) -> dict[str, Any]:
        """Returns the parameters of the condition."""
        times = {"begin": self.begin, "end": self.end}
        return {name: value for name, value in times.items() if value is not None}


class Selection:
    """The spans of a text, ready to be asked for.

    Args:
        spans: their tree.
        window: which spans are looked at.

    Raises:
        QuerySyntaxError: of what has no answer here.

    Attributes:
        source: what stands behind FROM; its rows are rows of `spans`. More conditions can follow with AND.
        conditions: writes more expressions over the rows.
        window: as given.
    """

    def __init__(self, spans: tree.Spans, window: Window) -> None:
        self.window = window
        self.conditions = Conditions()
        within = window.sql()
        self._tables = _Tables(self.conditions, within)
        if isinstance(spans, tree.Spanset):
            own = self.conditions.condition(spans.condition)
            self.source = f"spans WHERE {within} AND {own}"
        else:
            last = self._tables.add(spans)
            self.source = (
                f"spans SEMI JOIN {last} AS m ON m.trace_id = spans.trace_id AND m.span_id = spans.span_id "
                f"WHERE {within}"
            )

    @property
    def tables(self) -> str:
        """Returns what stands before SELECT, once all expressions are written."""
        return self._tables.text()

    def values(self) -> dict[str, Any]:
        """Returns the parameters of what was written so far."""
        return {**self.window.values(), **self.conditions.values}


class _Tables:
    """The tables before SELECT: one for each set of spans, of `trace_id, span_id, parent_span_id`."""

    def __init__(self, conditions: Conditions, within: str) -> None:
        self._conditions = conditions
        self._within = within
        self._tables: list[str] = []

    def text(self) -> str:
        """Returns all of them."""
        tables = list(self._tables)
        if self._conditions.names_traces:
            tables.insert(0, _of_traces(self._within))
        return f"WITH RECURSIVE {', '.join(tables)} " if tables else ""

    def add(self, spans: tree.Spans) -> str:
        """Adds a set of spans; returns the name of its table."""
        if isinstance(spans, tree.Spanset):
            own = self._conditions.condition(spans.condition)
            return self._named(
                f"SELECT trace_id, span_id, parent_span_id FROM spans WHERE {self._within} AND {own}"
            )
        left, right = self.add(spans.left), self.add(spans.right)
        return self._named(self._related(spans.operator, left, right))

    def _named(self, sql: str) -> str:
        name = f"t{len(self._tables)}"
        self._tables.append(f"{name} AS MATERIALIZED ({sql})")
        return name

    def _related(self, operator: str, left: str, right: str) -> str:
        if operator == "||":
            return f"SELECT * FROM {left} UNION SELECT * FROM {right}"
        if operator == "&&":
            return (
                f"SELECT * FROM {left} WHERE trace_id IN (SELECT trace_id FROM {right}) "
                f"UNION SELECT * FROM {right} WHERE trace_id IN (SELECT trace_id FROM {left})"
            )
        if operator.startswith("&"):
            plain = operator[1:]
            there = self._structure(plain, left, right, "SEMI")
            back = self._structure(_MIRRORED[plain], right, left, "SEMI")
            return f"{there} UNION {back}"
        if operator.startswith("!"):
            return self._structure(operator[1:], left, right, "ANTI")
        return self._structure(operator, left, right, "SEMI")

    def _structure(self, operator: str, left: str, right: str, join: str) -> str:
        """Returns the spans of the right set that stand so to one of the left."""
        condition = _JOINS.get(operator)
        if condition is None:
            left = self._closure(operator, left, right)
            condition = (
                "a.span_id = b.parent_span_id" if operator == ">>" else "a.span_id = b.span_id"
            )
        return f"SELECT b.* FROM {right} AS b {join} JOIN {left} AS a ON a.trace_id = b.trace_id AND {condition}"

    def _closure(self, operator: str, left: str, right: str) -> str:
        """Adds the table of a set with all below it (`>>`), or of all that is above it (`<<`)."""
        edges = self._named(
            f"SELECT trace_id, span_id, parent_span_id FROM spans WHERE {self._within} "
            f"AND parent_span_id IS NOT NULL AND trace_id IN (SELECT trace_id FROM {left}) "
            f"AND trace_id IN (SELECT trace_id FROM {right})"
        )
        name = f"t{len(self._tables)}"
        first = "span_id" if operator == ">>" else "parent_span_id AS span_id"
        step, back = ("span_id", "parent_span_id")
        if operator == "<<":
            step, back = back, step
        # UNION, since a stranger's spans may be their own ancestors.
        self._tables.append(
            f"{name} AS (SELECT trace_id, {first} FROM {left} UNION "
            f"SELECT e.trace_id, e.{step} AS span_id FROM {name} AS n JOIN {edges} AS e "
            f"ON e.trace_id = n.trace_id AND e.{back} = n.span_id)"
        )
        return name


def _of_traces(within: str) -> str:
    return (
        f"{OF_TRACES} AS MATERIALIZED (SELECT trace_id, "
        f"{TOGETHER_NS} AS duration_ns, "
        "arg_min(name, start_ns) FILTER (WHERE is_root) AS root_name, "
        "arg_min(service, start_ns) FILTER (WHERE is_root) AS root_service "
        f"FROM spans WHERE {within} GROUP BY trace_id)"
    )
