"""Which rows a delete removes: those of a trace, of a project, or that meet conditions on fixed columns."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.arrow_compute import pc
from tracestore.errors import QueryError
from tracestore.segment.tables import SEGMENT_TABLES
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.variant import TABLES

Condition = tuple[str, str, Any]

_COMPARE: Final = {
    "=": "equal",
    "!=": "not_equal",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
}


@dataclass(frozen=True, slots=True)
class Predicate:
    """A conjunction. A comparison with a missing value is false; `("column", "=", None)` finds it."""

    tables: tuple[str, ...]
    project: str | None
    conditions: tuple[Condition, ...]

    def encode(self) -> str:
        """Returns the text the catalog keeps."""
        conditions = [
            [name, operator, _to_json(value)] for name, operator, value in self.conditions
        ]
        return json.dumps(
            {"tables": list(self.tables), "project": self.project, "where": conditions}
        )

    @property
    def is_whole_project(self) -> bool:
        """Returns whether every row of a project matches."""
        every = set(self.tables) == set(SEGMENT_TABLES)
        return self.project is not None and not self.conditions and every

    def may_match(self, row: SegmentRow) -> bool:
        """Returns whether a segment can hold matching rows, as far as the catalog knows."""
        if row.table not in self.tables or (
            self.project is not None and row.project != self.project
        ):
            return False
        time_ns = SEGMENT_TABLES[row.table].time_ns_column
        bounds = [(operator, value) for name, operator, value in self.conditions if name == time_ns]
        return all(_overlaps(row, operator, value) for operator, value in bounds)

    def columns(self, table: str) -> list[str]:
        """Returns the stored columns that deciding needs; at least one, to count rows by."""
        names = [name for name, _, _ in self.conditions]
        return list(dict.fromkeys([*names, SEGMENT_TABLES[table].time_ns_column]))

    def mask(self, rows: pa.Table) -> npt.NDArray[np.bool_]:
        """Returns which rows match. The table has the stored columns of its table."""
        matched = np.ones(len(rows), np.bool_)
        for name, operator, value in self.conditions:
            matched &= _evaluate(rows.column(name), operator, value)
        return matched


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A disjunction of conjunctions."""

    predicates: tuple[Predicate, ...]

    def that_may_match(self, row: SegmentRow) -> AnyOf | None:
        """Returns those of which a segment can hold matching rows, None where there are none."""
        found = tuple(each for each in self.predicates if each.may_match(row))
        return AnyOf(found) if found else None

    def columns(self, table: str) -> list[str]:
        """Returns the stored columns that deciding needs."""
        return list(dict.fromkeys(name for each in self.predicates for name in each.columns(table)))

    def mask(self, rows: pa.Table) -> npt.NDArray[np.bool_]:
        """Returns which rows match any of them."""
        matched = np.zeros(len(rows), np.bool_)
        for each in self.predicates:
            matched |= each.mask(rows)
        return matched


def make_predicate(
    trace_id: str | None,
    project: str | None,
    where: Sequence[Condition],
    tables: Sequence[str] | None,
) -> Predicate:
    """Returns a checked predicate; raises QueryError for one that matches everything or is not valid."""
    conditions = list(where)
    if trace_id is not None:
        conditions.insert(0, ("trace_id", "=", trace_id.lower()))
    if not conditions and project is None:
        raise QueryError("cannot delete everything: name a trace, a project or a condition")
    chosen = tuple(tables) if tables is not None else _tables_with(conditions)
    for table in chosen:
        if table not in SEGMENT_TABLES:
            raise QueryError(f"cannot delete, no table {table!r}: want {', '.join(SEGMENT_TABLES)}")
        for condition in conditions:
            _check(table, condition)
    return Predicate(chosen, project, tuple(conditions))


def decode(text: str) -> Predicate:
    """Returns the predicate of `encode`."""
    values = json.loads(text)
    conditions = tuple((name, operator, value) for name, operator, value in values["where"])
    return Predicate(tuple(values["tables"]), values["project"], conditions)


def _tables_with(conditions: Sequence[Condition]) -> tuple[str, ...]:
    names = {name for name, _, _ in conditions}
    chosen = tuple(table for table in SEGMENT_TABLES if names <= _stored(table))
    if not chosen:
        raise QueryError(f"cannot delete: no table has stored columns {', '.join(sorted(names))}")
    return chosen


def _stored(table: str) -> set[str]:
    spec = SEGMENT_TABLES[table]
    return set(spec.columns) - set(spec.derived)


def _check(table: str, condition: Condition) -> None:
    name, operator, value = condition
    if name not in _stored(table):
        raise QueryError(f"cannot delete by {name!r}: not a stored column of {table}")
    if operator not in _COMPARE and operator != "in":
        raise QueryError(f"cannot delete by {name!r}: unexpected operator {operator!r}")
    if operator == "in" and (isinstance(value, str) or not isinstance(value, Sequence)):
        raise QueryError(f"cannot delete by {name!r}: 'in' wants a list")
    if value is None and operator not in ("=", "!="):
        raise QueryError(f"cannot delete by {name!r}: a missing value compares by = and != only")
    values = value if operator == "in" else [value]
    try:
        for item in values:
            _scalar(item, TABLES[table].columns[name])
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise QueryError(f"cannot delete by {name!r}: {error}") from error


def _to_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, (datetime.datetime, datetime.date)) else value


def _scalar(value: Any, kind: pa.DataType) -> pa.Scalar:
    if pa.types.is_timestamp(kind) and isinstance(value, str):
        value = datetime.datetime.fromisoformat(value)
    if isinstance(value, datetime.datetime) and value.tzinfo is None:
        value = value.replace(tzinfo=datetime.UTC)
    return pa.scalar(value, kind)


def _evaluate(column: pa.ChunkedArray, operator: str, value: Any) -> npt.NDArray[np.bool_]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if value is None:
        missing: npt.NDArray[np.bool_] = column.is_null().to_numpy()
        return missing if operator == "=" else ~missing
    if operator == "in":
        options = pa.array([_scalar(item, column.type).as_py() for item in value], column.type)
        matches = pc.is_in(column, value_set=options)
    else:
        matches = pc.call_function(_COMPARE[operator], [column, _scalar(value, column.type)])
    result: npt.NDArray[np.bool_] = pc.fill_null(matches, False).to_numpy()
    return result


def _overlaps(row: SegmentRow, operator: str, value: Any) -> bool:
    low, high = row.min_time_ns, row.max_time_ns
    answers: dict[str, Callable[[], bool]] = {
        "=": lambda: low <= value <= high,
        "<": lambda: low < value,
        "<=": lambda: low <= value,
        ">": lambda: high > value,
        ">=": lambda: high >= value,
        "in": lambda: any(low <= item <= high for item in value),
    }
    return operator not in answers or bool(answers[operator]())
