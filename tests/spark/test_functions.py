"""Every function that has a form on Spark gives there what it gives here, or is refused by name.

By default a call of each signature; with TRACESTORE_SPARK_ALL=1 twenty.
"""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from spark.answers import QUIET
from spark.function_calls import FunctionCall, aggregate_calls, query, scalar_calls
from sql.test_sql_files import _row, _same
from tracestore import Store
from tracestore_query.errors import QueryError, SparkRefusedError

pytestmark = [pytest.mark.filterwarnings(quiet) for quiet in QUIET]

EACH = 20 if os.environ.get("TRACESTORE_SPARK_ALL") else 1
TOGETHER = 40
"""Expressions of one query: fewer cost a plan each, more none of Spark's patience."""

_UNORDERED = frozenset({"list_distinct", "array_distinct"})
"""Functions that make lists of values in any order."""


@pytest.fixture(scope="module")
def connection(spark: Any, stores: dict[str, Store]) -> Iterator[Any]:
    import tracestore_spark

    with tracestore_spark.connect(spark, stores["one segment"]) as made:
        yield made


def test_scalar_functions_mean_the_same(stores: dict[str, Store], connection: Any) -> None:
    compared = Compared(stores["one segment"], connection)
    compared.compare(list(scalar_calls(EACH)))
    assert not compared.different, "\n".join(compared.different)
    assert len(compared.same) > 100


def test_aggregates_mean_the_same(stores: dict[str, Store], connection: Any) -> None:
    compared = Compared(stores["one segment"], connection, group="i % 3")
    compared.compare(list(aggregate_calls()))
    assert not compared.different, "\n".join(compared.different)
    assert len(compared.same) > 30


class Compared:
    """What calls give on both engines.

    Attributes:
        same: names of functions whose calls gave the same.
        different: calls that did not, with what they gave.
    """

    def __init__(self, store: Store, connection: Any, group: str = "") -> None:
        self._store = store
        self._connection = connection
        self._group = group
        self.same: set[str] = set()
        self.different: list[str] = []

    def compare(self, calls: Sequence[FunctionCall]) -> None:
        """Asks both; calls that fail here, or are refused there, are left out."""
        by_kind: dict[str, list[tuple[FunctionCall, list[Any]]]] = defaultdict(list)
        for call in calls:
            asked = query(call.kind, [call.sql], self._group)
            try:
                with self._store.sql(asked) as answer:
                    table, types = answer.arrow(), answer.types
                self._connection.explain(asked)
            except SparkRefusedError as refusal:
                assert refusal.what
                continue
            except QueryError:
                continue
            try:
                columns = [column.to_pylist() for column in table.columns]
            except OverflowError:
                # A time beyond what Python has.
                continue
            ours = [_row(row, types)[1] for row in zip(*columns, strict=True)]
            by_kind[call.kind].append((call, [types[1], *ours]))
        for kind, asked_calls in by_kind.items():
            for first in range(0, len(asked_calls), TOGETHER):
                self._ask(kind, asked_calls[first : first + TOGETHER])

    def _ask(self, kind: str, calls: Sequence[tuple[FunctionCall, list[Any]]]) -> None:
        from pyspark.errors import PySparkException

        text = query(kind, [call.sql for call, _ in calls], self._group)
        try:
            table = self._connection.sql(text).toArrow()
        except PySparkException as error:
            # One of them fails there: each alone says which.
            for each in calls if len(calls) > 1 else ():
                self._ask(kind, [each])
            if len(calls) == 1:
                self.different.append(f"{calls[0][0].sql} of {kind}: fails on Spark: {error}")
            return
        for (call, (sql_type, *ours)), column in zip(calls, table.columns[1:], strict=True):
            theirs = [_row((value,), [sql_type])[0] for value in column.to_pylist()]
            if all(
                _alike(call.name, left, right) for left, right in zip(ours, theirs, strict=True)
            ):
                self.same.add(call.name)
            else:
                self.different.append(f"{call.sql} of {kind}: {ours} here, {theirs} on Spark")


def _alike(name: str, left: Any, right: Any) -> bool:
    if name in _UNORDERED and left and right:
        left, right = sorted(left), sorted(right)
    return _same([[_plain(left)]], [[_plain(right)]], "nosort")


def _plain(value: Any) -> Any:
    """Returns a value with a name for what is no number, which is not equal to itself."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return "nan" if isinstance(value, float) and math.isnan(value) else value
