"""What segments are clustered by never changes an answer, whatever was stored, changed, merged or set since."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tracestore
from data.stores import EVERY_WORD, ndjson, span
from tracestore import Store

CLUSTERED = (
    None,
    ("service",),
    ("name", "attributes.http.route"),
    ("attributes.mixed", "duration_ns", "service"),
    ("attributes.rare",),
    ("body.nothing", "attributes.nowhere"),
    ("attributes.list", "input", "status_code"),
)
QUERIES = (
    "SELECT * FROM spans ORDER BY start_ns, span_id, kind",
    "SELECT span_id, attributes FROM spans WHERE service = 's1' ORDER BY start_ns, span_id",
    "SELECT service, count(*) AS n, min(start_ns) AS t FROM spans GROUP BY 1 ORDER BY 1",
    "SELECT start_ns FROM spans ORDER BY start_time LIMIT 7",
    "SELECT start_ns FROM spans ORDER BY start_time DESC LIMIT 7",
    "SELECT start_ns FROM spans ORDER BY start_ns DESC LIMIT 3 OFFSET 2",
    "SELECT span_id, metadata FROM spans WHERE start_ns >= $low AND start_ns < $high ORDER BY start_ns, span_id",
    "SELECT metadata.why AS w, count(*) AS n FROM spans WHERE start_ns < $high GROUP BY 1 ORDER BY 1",
    "SELECT attributes.rare AS r FROM spans WHERE attributes.rare IS NOT NULL ORDER BY start_ns, span_id",
    "SELECT span_id FROM spans WHERE attributes.mixed = 'm2' ORDER BY start_ns, span_id",
    "SELECT span_id FROM spans WHERE attributes.http.route = '/r1' AND name = 'op-1' ORDER BY start_ns, span_id",
    "SELECT span_id, input FROM spans WHERE search('hello') ORDER BY start_ns, span_id",
    "SELECT span_id FROM spans WHERE trace_id = $trace ORDER BY start_ns, span_id",
)


def make(draw: random.Random, number: int) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "http.route": f"/r{draw.randrange(4)}",
        "mixed": draw.choice([1, 2.5, True, "m2", [1]]),
        "list": ["b", "a"],
    }
    if draw.random() < 0.1:
        attributes["rare"] = draw.choice(["x", 3])
    if draw.random() < 0.3:
        attributes["http"] = {"route": "/nested"}
    return span(
        number,
        service=draw.choice([None, "s0", "s1", "s2"]),
        attributes=attributes,
        input=[{"role": "user", "content": f"hello w{draw.randrange(9)}"}],
        duration_ns=draw.randrange(5),
    )


def act(draw: random.Random, stores: tuple[Store, Store]) -> None:
    """Does one thing to both stores; what they are clustered by is set of the second alone."""
    kind = draw.choice(
        ["insert", "insert", "again", "patch", "flush", "merge", "full", "set", "delete"]
    )
    numbers = [draw.randrange(400) for _ in range(draw.randrange(1, 60))]
    if kind == "set":
        stores[1].set_cluster_by("default", draw.choice(CLUSTERED))
    rows = [make(draw, number) for number in dict.fromkeys(numbers)]
    value = draw.randrange(5)
    for store in stores:
        if kind in {"insert", "again"}:
            store.insert("spans", ndjson(rows))
        elif kind == "patch":
            ids = [{name: row[name] for name in ("trace_id", "span_id")} for row in rows[:5]]
            store.patch([{**each, "metadata": {"why": f"p{value}"}} for each in ids])
        elif kind == "flush":
            store.flush()
        elif kind == "merge":
            store.compact()
        elif kind == "full":
            store.flush()
            store.compact(full=True)
        elif kind == "delete":
            store.delete(where=f"duration_ns = {value} AND attributes.http.route = '/r3'")


def answers(store: Store, draw: random.Random) -> list[Any]:
    first = span(draw.randrange(300))
    params = {
        "low": first["start_ns"],
        "high": first["start_ns"] + draw.randrange(100) * 1_000_000,
        "trace": first["trace_id"],
    }
    return [
        store.sql(text, {name: params[name] for name in params if f"${name}" in text}).rows()
        for text in QUERIES
    ]


@given(seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=12)
def test_answers_are_those_of_a_store_sorted_by_time(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    draw = random.Random(seed)
    folder = tmp_path_factory.mktemp("clustered")
    # Merges make several segments of slices of time, and every segment is clustered.
    options: dict[str, Any] = {
        **EVERY_WORD,
        "background": False,
        "durability": "async",
        "min_cluster_rows": 2,
        "compaction_unit_rows": draw.choice([40, 500_000]),
    }
    with (
        tracestore.open(folder / "plain", **options) as plain,
        tracestore.open(folder / "other", **options) as other,
    ):
        other.set_cluster_by("default", draw.choice(CLUSTERED))
        for _ in range(draw.randrange(4, 14)):
            act(draw, (plain, other))
        chosen = draw.randrange(2**32)
        want = answers(plain, random.Random(chosen))
        assert answers(other, random.Random(chosen)) == want
        plain.flush()
        other.flush()
        other.compact(full=True)
        assert answers(other, random.Random(chosen)) == want
        assert other.check(deep=True).ok
    with tracestore.open(folder / "other", **options) as again:
        assert answers(again, random.Random(chosen)) == want


def test_queries_tell_what_to_cluster_by(tmp_path: Path) -> None:
    with tracestore.open(tmp_path, background=False) as store:
        store.insert("spans", ndjson([span(n) for n in range(3)]))
        for _ in range(3):
            store.sql(
                "SELECT count(*) FROM spans WHERE service = 's' AND attributes.model = 'm1'"
            ).rows()
        store.sql(
            "SELECT count(*) FROM spans s WHERE s.name IN ('a', 'b') AND trace_id = 'x'"
        ).rows()
        store.sql("SELECT count(*) FROM spans WHERE start_ns = 3 AND name = parent_span_id").rows()
        store.sql("SELECT 1 AS one").rows()
        told = store.sql("SELECT * FROM asked_columns").rows()
    assert told == [
        {
            "project": None,
            "table": "spans",
            "column": "attributes.model",
            "queries": 3,
            "share": 0.6,
        },
        {"project": None, "table": "spans", "column": "service", "queries": 3, "share": 0.6},
        {"project": None, "table": "spans", "column": "name", "queries": 1, "share": 0.2},
    ]
    with tracestore.open(tmp_path, background=False) as store:
        assert store.sql("SELECT * FROM asked_columns").rows() == told


def test_a_key_of_a_project_is_told_of_its_own_queries(tmp_path: Path) -> None:
    with tracestore.open(tmp_path, background=False) as store:
        for project, column in (("a", "service"), ("b", "name"), (None, "kind")):
            projects = None if project is None else [project]
            store.sql(f"SELECT count(*) FROM spans WHERE {column} = 'x'", projects=projects).rows()
        told = store.sql("SELECT * FROM asked_columns", projects=["a"]).rows()
    assert [(row["project"], row["column"]) for row in told] == [("a", "service")]


def test_row_groups_without_the_value_are_not_read(tmp_path: Path) -> None:
    with tracestore.open(
        tmp_path, background=False, durability="async", flush_bytes=2**30
    ) as store:
        store.set_cluster_by("default", ["service"])
        for first in range(0, 260_000, 20_000):
            rows = [
                span(n, service=f"s{n % 3}", attributes={}) for n in range(first, first + 20_000)
            ]
            store.insert("spans", ndjson(rows))
        store.flush()
        with store.snapshot(["spans"]) as snapshot:
            [segment] = snapshot.tables["spans"].segments
            assert segment.rows == 260_000
            metadata = pq.read_metadata(segment.uri)
    column = metadata.schema.to_arrow_schema().get_field_index("service")
    bounds = [
        metadata.row_group(number).column(column).statistics
        for number in range(metadata.num_row_groups)
    ]
    assert len(bounds) >= 3
    for value in ("s0", "s1", "s2"):
        assert sum(each.min <= value <= each.max for each in bounds) <= 2
