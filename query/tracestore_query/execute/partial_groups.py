"""Groups of segments, computed by one statement for all of those whose groups are not kept yet."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa
from sqlglot import exp
from sqlglot.errors import SqlglotError

from tracestore.arrow_compute import pc
from tracestore.store import SegmentRef
from tracestore_query.engine import Engine
from tracestore_query.engine.query_sql import query_sql
from tracestore_query.execute.arrow_forms import with_arrow_forms
from tracestore_query.execute.execution import Execution
from tracestore_query.language.parameters import used_values
from tracestore_query.plan.grouping import Grouping
from tracestore_query.plan.plan import Plan
from tracestore_query.plan.scan_plan import ScanPlan
from tracestore_query.plan.whole_segments import WholeTimes

MAX_GROUPS: Final = 10_000
"""Groups that are kept of one segment: more are hardly fewer than its rows, and cost as much to read."""

MAX_SAMPLE_GROUPS: Final = 2048
SAMPLE_ROWS: Final = 20_480
"""The most groups that the first rows of a segment may make: else its others are not tried."""

FILE: Final = "__file"
TYPES: Final = b"tracestore.types"
"""The key of the engine's types of the columns in a table's metadata."""


BATCH_GROUPS: Final = 8192
"""Groups that leave the engine at once, 24 MB where each of them is the state of a quantile."""


@dataclass(frozen=True, slots=True)
class _Bound:
    """What groups may be at most, all together."""

    rows: int
    nbytes: float = math.inf


@dataclass(slots=True)
class Wanted:
    """A grouping of one scan, and the segments whose groups can be kept.

    Attributes:
        grouping: the grouping.
        plan: of the whole query.
        times: what its conditions say of time.
        segments: those whose groups can be kept.
        partial: the SELECT of the groups of each segment.
        name: what the groups are kept under.
        tables: the groups that are at hand, by segment id.
        has_more: whether some of them were not kept before.
    """

    grouping: Grouping
    plan: Plan
    times: WholeTimes
    segments: Sequence[SegmentRef]
    partial: exp.Select
    name: str = ""
    tables: dict[str, pa.Table] = field(default_factory=dict)
    has_more: bool = False

    @property
    def scan(self) -> ScanPlan:
        """Returns what the scan reads."""
        return self.plan.scans[self.grouping.token]

    @property
    def missing(self) -> list[SegmentRef]:
        """Returns the segments whose groups are not at hand."""
        return [each for each in self.segments if each.segment_id not in self.tables]


@dataclass(frozen=True, slots=True)
class Computing:
    """What computes groups for one query.

    Attributes:
        engine: computes them.
        execution: bounds it.
        values: of the query's parameters.
    """

    engine: Engine
    execution: Execution
    values: Mapping[str, Any]

    def missing(self, wanted: Wanted, max_bytes: int) -> list[tuple[SegmentRef, pa.Table]] | None:
        """Returns the groups of each segment whose groups are missing, None where they are too many or too large.

        Args:
            wanted: the grouping.
            max_bytes: of the groups of all these segments.
        """
        segments = wanted.missing
        if not wanted.tables and self._makes_many(wanted):
            return None
        scan = reading_only(wanted.scan, segments)
        scan = replace(scan, scan=replace(scan.scan, needs_files=True))
        bound = _Bound(MAX_GROUPS * len(segments), max_bytes)
        table = self._groups(wanted, wanted.partial, scan, bound)
        if table is None:
            return None
        return [each for each in _by_segment(table, segments) if each[1].num_rows <= MAX_GROUPS]

    def _makes_many(self, wanted: Wanted) -> bool:
        """Tells whether the first rows of a segment make too many groups."""
        plain = {segment.segment_id for segment in wanted.scan.plain}
        segments = [segment for segment in wanted.missing if segment.segment_id in plain]
        if not segments or not wanted.grouping.keys:
            return False
        sampled = max(segments, key=lambda segment: segment.rows)
        scan = reading_only(wanted.scan, [sampled])
        if sampled.rows > SAMPLE_ROWS:
            scan = replace(scan, row_ranges={sampled.uri: (0, SAMPLE_ROWS)})
        select = wanted.grouping.partial(wanted.times.others)
        return self._groups(wanted, select, scan, _Bound(MAX_SAMPLE_GROUPS)) is None

    def _groups(
        self, wanted: Wanted, select: exp.Select, scan: ScanPlan, bound: _Bound
    ) -> pa.Table | None:
        """Returns the rows of a SELECT over some segments, None where they are many or have no form to be kept in."""
        token = wanted.grouping.token
        partial = replace(wanted.plan.query, tree=select, scans={token: scan.scan}, tables={})
        query = query_sql(Plan(partial, {token: scan}), self.engine.checker)
        used = used_values(select)
        values = {name: value for name, value in self.values.items() if name in used}
        deadline = self.execution.deadline
        with deadline.cursor() as cursor, deadline.running():
            for name, table in query.tables.items():
                cursor.register(name, table)
            relation = cursor.sql(query.sql, params=values or None)
            types = [str(sql_type) for sql_type in relation.types]
            forms = with_arrow_forms(query.sql, relation.columns, types)
            if forms is not None or not all(map(_can_be_written, types)):
                return None
            groups = _rows_within(relation, bound)
        apart = len(types) - len(wanted.grouping.columns)
        metadata = {TYPES: json.dumps(types[apart:]).encode()}
        return None if groups is None else groups.replace_schema_metadata(metadata)


def _can_be_written(sql_type: str) -> bool:
    """Tells whether a type of the engine can stand in a text."""
    try:
        exp.DataType.build(sql_type, dialect="duckdb")
    except SqlglotError:
        return False
    return sql_type != '"NULL"'


def _rows_within(relation: duckdb.DuckDBPyRelation, bound: _Bound) -> pa.Table | None:
    """Returns all rows of a relation, None where they are beyond a bound."""
    reader = relation.to_arrow_reader(BATCH_GROUPS)
    batches: list[pa.RecordBatch] = []
    rows = nbytes = 0
    for batch in reader:
        rows += batch.num_rows
        nbytes += batch.nbytes
        if rows > bound.rows or nbytes > bound.nbytes:
            return None
        batches.append(batch)
    return pa.Table.from_batches(batches, reader.schema)


def _by_segment(
    table: pa.Table, segments: Sequence[SegmentRef]
) -> list[tuple[SegmentRef, pa.Table]]:
    """Returns the groups of each segment."""
    table = table.combine_chunks()
    order = pc.sort_indices(table, sort_keys=[(FILE, "ascending")])
    table = table.take(order)
    counts = pc.value_counts(table.column(FILE).combine_chunks())
    rows_of = {each["values"]: each["counts"] for each in counts.to_pylist()}
    first = 0
    starts: dict[str, int] = {}
    for file, rows in rows_of.items():
        starts[file] = first
        first += rows
    groups = table.drop_columns([FILE])
    # Taken out of the whole, so that what is kept of one segment does not keep the others' in memory.
    return [
        (
            segment,
            groups.take(pa.array(np.arange(at, at + rows_of.get(segment.uri, 0)))),
        )
        for segment in segments
        for at in [starts.get(segment.uri, 0)]
    ]


def reading_only(plan: ScanPlan, segments: Sequence[SegmentRef]) -> ScanPlan:
    """Returns a scan's plan that reads some of its segments and no row in memory."""
    ids = {segment.segment_id for segment in segments}
    narrowed = _narrowed(plan, lambda segment: segment.segment_id in ids)
    return replace(narrowed, memtable=(), patched={}, patched_fields=frozenset(), word_rows={})


def reading_without(plan: ScanPlan, gone: set[str], kept: Sequence[SegmentRef]) -> ScanPlan:
    """Returns a scan's plan that does not read some of its segments, since their groups are kept."""
    narrowed = _narrowed(plan, lambda segment: segment.segment_id not in gone)
    return replace(narrowed, kept=tuple(kept))


def _narrowed(plan: ScanPlan, is_read: Callable[[SegmentRef], bool]) -> ScanPlan:
    tailed = [
        replace(group, segments=segments)
        for group in plan.tailed
        if (segments := tuple(segment for segment in group.segments if is_read(segment)))
    ]
    plain = tuple(segment for segment in plan.plain if is_read(segment))
    return replace(plan, plain=plain, tailed=tuple(tailed))
