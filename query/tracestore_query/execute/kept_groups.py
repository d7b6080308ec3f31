"""Groups that are computed once for each segment: a grouping that is asked again reads what is new and nothing else.

Of segments whose rows all count and all lie within the query's times, the partial groups are computed by one statement,
kept by segment, and take the place of the segments in the plan. What is in memory, changed by patches, replaced in part
or cut by the query's times is read as ever.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import duckdb
import pyarrow as pa
from sqlglot import exp

import tracestore
from tracestore.bounded_cache import BoundedCache
from tracestore.store import SegmentRef
from tracestore_query.bind.typed.engine_types import EngineTypes, is_aggregate
from tracestore_query.engine import Engine
from tracestore_query.errors import QueryFailedError, QueryMemoryError
from tracestore_query.execute.execution import Execution
from tracestore_query.execute.partial_groups import (
    FILE,
    TYPES,
    Computing,
    Wanted,
    reading_without,
)
from tracestore_query.language.dialect import cast, generate
from tracestore_query.language.parameters import used_values
from tracestore_query.language.value_macros import create_statements
from tracestore_query.plan.grouping import Grouping, groupings
from tracestore_query.plan.plan import Plan
from tracestore_query.plan.pruning import Evaluate
from tracestore_query.plan.scan import Scan
from tracestore_query.plan.scan_plan import ScanPlan
from tracestore_query.plan.whole_segments import MARGIN_S, whole_times
from tracestore_query.tables.names import STORED

MAX_GROUPINGS: Final = 8
"""Groupings of one query that are looked at: each is one more copy of its tree."""

MAX_REFUSED: Final = 4096
"""Groupings that are known to be of too many groups, 32 bytes each."""


@dataclass(frozen=True, slots=True)
class KeepRule:
    """The least rows whose groups are kept: fewer are read in the time that planning takes.

    Attributes:
        segment_rows: rows of a segment.
        rows: of all segments of a scan together whose groups are kept.
        rows_of_group: rows that a kept group stands for, in all segments together.
        bytes_of_row: the most bytes of kept groups for each row: those of a column of numbers. States of approximate
            functions take one to three kilobytes a group.
    """

    segment_rows: int = 16_384
    rows: int = 1_000_000
    rows_of_group: int = 8
    bytes_of_row: int = 8


class KeptGroups:
    """What queries keep of segments, and the plans that read it in their place. Thread-safe.

    Args:
        engine: computes them.
        types: knows the engine's aggregate functions.
        rule: from how many rows on they are kept.
    """

    def __init__(self, engine: Engine, types: EngineTypes, rule: KeepRule) -> None:
        self._engine = engine
        self._types = types
        self._rule = rule
        self._refused: BoundedCache[str, bool] = BoundedCache(MAX_REFUSED)

    def applied(
        self,
        plan: Plan,
        execution: Execution,
        values: Mapping[str, Any],
        evaluate: Evaluate,
        *,
        computes: bool,
    ) -> Plan:
        """Returns a plan that reads kept groups in place of segments, where that saves something.

        Args:
            plan: the plan of the whole query.
            execution: runs what computes groups.
            values: of the query's parameters.
            evaluate: computes constants.
            computes: whether groups that are not kept yet are computed.
        """
        if plan.query.rebuilt or plan.query.objects:
            return plan
        tokens = [token for token, scan in plan.scans.items() if self._may_keep(scan)]
        computing = Computing(self._engine, execution, values) if computes else None
        for _ in range(min(len(tokens), MAX_GROUPINGS)):
            tree = plan.query.tree.copy()
            grouping = next(groupings(tree, tokens, self._is_aggregate), None)
            if grouping is None:
                break
            tokens.remove(grouping.token)
            wanted = self._wanted(grouping, plan, values, evaluate)
            if wanted is not None:
                plan = self._with_groups(tree, wanted, computing)
        return plan

    def _is_aggregate(self, node: exp.Expr) -> bool:
        return is_aggregate(node, self._types)

    def _may_keep(self, scan: ScanPlan) -> bool:
        """Tells whether a scan reads so many rows that keeping groups of them is worth a look."""
        narrow = scan.scan.trace_ids is not None or scan.scan.top_n is not None
        if narrow or scan.scan.needs_row_ids or scan.scan.object_parts or scan.newest is not None:
            return False
        return sum(segment.rows for segment in self._whole(scan)) >= self._rule.rows

    def _whole(self, scan: ScanPlan) -> list[SegmentRef]:
        """Returns the segments of which every row counts, and is as its file has it."""
        groups = (group.segments for group in scan.tailed if group.rows is None)
        segments = [*scan.plain, *(segment for members in groups for segment in members)]
        special = scan.patched.keys() | scan.row_ranges.keys() | scan.word_rows.keys()
        return [
            segment
            for segment in segments
            if segment.rows >= self._rule.segment_rows
            and not len(segment.replaced)
            and not (special and segment.uri in special)
        ]

    def _wanted(
        self, grouping: Grouping, plan: Plan, values: Mapping[str, Any], evaluate: Evaluate
    ) -> Wanted | None:
        scan = plan.scans[grouping.token]
        spec = STORED[scan.scan.table]
        times = whole_times(grouping.conditions, grouping.alias, spec, evaluate)
        segments = [segment for segment in self._whole(scan) if times.hold(segment)]
        if sum(segment.rows for segment in segments) < self._rule.rows:
            return None
        file = exp.column(FILE, table=grouping.alias, quoted=True)
        partial = grouping.partial(times.others, apart=[file])
        text = generate(partial)
        name = _name(text, used_values(partial), grouping.token, scan.scan, values)
        if self._refused.get(name) or not self._is_repeatable(text, grouping.token):
            return None
        wanted = Wanted(grouping, plan, times, segments, partial, name)
        for segment in segments:
            table = segment.kept_groups(name)
            if table is not None:
                wanted.tables[segment.segment_id] = table
        return wanted

    def _is_repeatable(self, text: str, token: str) -> bool:
        """Tells whether a SELECT gives the same of the same rows at any time, by what the engine reads in it."""
        return self._engine.checker.is_repeatable(text, token, self._engine.repeatable)

    def _with_groups(self, tree: exp.Expr, wanted: Wanted, computing: Computing | None) -> Plan:
        """Returns a plan that reads the kept groups; that of the query itself where there are none."""
        started_s = time.monotonic()
        if computing is not None and wanted.missing:
            self._compute(wanted, computing)
        if wanted.times.moves and time.monotonic() - started_s > MARGIN_S / 2:
            # The clock has gone on since it was asked: the engine's may leave out rows that are kept.
            return wanted.plan
        kept = [segment for segment in wanted.segments if segment.segment_id in wanted.tables]
        if not kept:
            return wanted.plan
        groups = pa.concat_tables([wanted.tables[segment.segment_id] for segment in kept])
        rows = sum(segment.rows for segment in kept)
        rule = self._rule
        if groups.num_rows * rule.rows_of_group > rows or groups.nbytes > rows * rule.bytes_of_row:
            self._refused.put(wanted.name, True)
            return wanted.plan
        return self._reading(tree, wanted, groups, kept)

    def _compute(self, wanted: Wanted, computing: Computing) -> None:
        """Computes the groups that are missing, and keeps them."""
        try:
            rows = sum(segment.rows for segment in wanted.missing)
            groups = computing.missing(wanted, rows * self._rule.bytes_of_row)
        except (QueryFailedError, QueryMemoryError):
            # The whole query says what is wrong with it, or does with less.
            return
        if groups is None:
            self._refused.put(wanted.name, True)
        for segment, table in groups or ():
            segment.keep_groups(wanted.name, table)
            wanted.tables[segment.segment_id] = table
            wanted.has_more = True

    def _reading(
        self, tree: exp.Expr, wanted: Wanted, groups: pa.Table, kept: Sequence[SegmentRef]
    ) -> Plan:
        """Returns the plan that reads groups in place of segments."""
        grouping, plan = wanted.grouping, wanted.plan
        types: list[str] = json.loads(groups.schema.metadata[TYPES])
        name = grouping.token.replace("__scan_", "__kept_", 1)
        columns = [
            exp.alias_(
                cast(exp.column(column, quoted=True), sql_type),
                column,
                quoted=True,
            )
            for column, sql_type in zip(grouping.columns, types, strict=True)
        ]
        source = exp.Select(expressions=columns)
        source.set("from_", exp.From(this=exp.Table(this=exp.to_identifier(name, quoted=True))))
        fresh = grouping.partial(grouping.conditions)
        union = exp.Union(this=fresh, expression=source, distinct=False)
        if not grouping.complete(union, types, self._name_of):
            return plan
        gone = {segment.segment_id for segment in kept}
        scan = reading_without(wanted.scan, gone, kept)
        return Plan(
            replace(plan.query, tree=tree),
            {**plan.scans, grouping.token: scan},
            {**plan.kept, name: groups},
            plan.keeps_more or wanted.has_more,
        )

    def _name_of(self, item: exp.Expr) -> str | None:
        """Returns the name that the engine gives a column that has none."""
        return self._engine.name_of(generate(item))


def _name(
    partial: str, used: Collection[str], token: str, scan: Scan, values: Mapping[str, Any]
) -> str:
    """Returns what groups are kept under: all that they depend on beside the segment."""
    given = [(name, type(value), value) for name, value in values.items() if name in used]
    read = [(each.name, getattr(scan, each.name)) for each in fields(scan)]
    parts = [
        _VERSIONS,
        partial.replace(token, "scan"),
        *(
            repr(sorted(value) if isinstance(value, frozenset) else value)
            for name, value in read
            if name not in _OF_SEGMENTS
        ),
        repr(given),
    ]
    text = json.dumps(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


_OF_SEGMENTS: Final = frozenset({"token", "time_range", "words", "searches", "searched"})
"""What a scan says of the segments that it reads, and not of the rows of one that is read whole."""

# What gives a text its meaning: the engine, and what this version has it know.
_VERSIONS: Final = json.dumps([duckdb.__version__, tracestore.__version__, *create_statements()])
