"""The last or first rows by time are the same whether a few rows of a few segments are read, or all of all."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tracestore
from data.stores import START_NS, span
from tracestore import Store

SPREAD = 3_000
EVERYWHERE = "(duration_ns > 0 OR true)"
"""A condition that every row meets, and that no plan looks into."""


def drawn(rng: random.Random, number: int, low: int) -> dict[str, Any]:
    attributes: dict[str, Any] = {"n": number, "tags": ["a", "b"][: number % 3]}
    if number % 97 == 0:
        attributes["rare"] = {"needle": number}
    return span(
        number,
        trace_id=f"{number % 50 + 1:032x}",
        name=f"op{number % 3}",
        start_ns=START_NS + (low + rng.randrange(SPREAD)) // 10 * 10_000,
        duration_ns=number % 11,
        attributes=attributes,
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Gives segments that overlap, with times that repeat, rows in memory, tails and a patched row."""
    rng = random.Random(5)
    with tracestore.open(tmp_path_factory.mktemp("ends"), background=False) as opened:
        number = 0
        for part in range(9):
            rows = [drawn(rng, number + i, part * 1_000) for i in range(300)]
            opened.insert("spans", rows)
            number += len(rows)
            if part < 8:
                opened.flush()
        opened.patch(
            {"trace_id": f"{7 + 1:032x}", "span_id": f"{2107 + 1:016x}", "scores": {"s": 1}}
        )
        yield opened


def is_cut(store: Store, sql: str) -> bool:
    return "ends" in [row["step"] for row in store.sql(f"EXPLAIN {sql}").rows()]


def segments_read(store: Store, sql: str) -> int:
    answer = store.sql(sql)
    answer.rows()
    return int(answer.stats.segments_read)


@pytest.mark.parametrize("rows", [1, 7, 50, 299, 300, 301, 1_000, 5_000])
@pytest.mark.parametrize(
    "order", ["start_ns", "start_ns DESC", "start_time DESC", "spans.start_time"]
)
@pytest.mark.parametrize("offset", ["", " OFFSET 40"])
def test_the_rows_of_an_end(store: Store, rows: int, order: str, offset: str) -> None:
    column = order.removesuffix(" DESC")
    every = sorted(
        (row["t"] for row in store.sql(f"SELECT {column} AS t FROM spans").rows()),
        reverse="DESC" in order,
    )
    first = 40 if offset else 0
    found = store.sql(
        f"SELECT {column} AS t, attributes FROM spans ORDER BY {order} LIMIT {rows}{offset}"
    )
    answer = found.rows()
    assert [row["t"] for row in answer] == every[first : first + rows]
    assert all(isinstance(row["attributes"]["n"], int) for row in answer)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT span_id FROM spans {where} ORDER BY start_ns DESC, span_id LIMIT 30",
        "SELECT span_id, attributes.rare.needle AS r FROM spans {where} ORDER BY start_ns, span_id LIMIT 400",
        "SELECT span_id, scores.s AS s FROM spans {where} ORDER BY start_ns DESC, span_id DESC LIMIT 900",
        "SELECT s.span_id FROM spans AS s {where} ORDER BY s.start_time DESC, s.span_id LIMIT 20",
        "SELECT n FROM (SELECT attributes.n AS n, start_ns FROM spans {where} ORDER BY start_ns DESC, span_id LIMIT 9)",
        "SELECT sum(d) AS d FROM (SELECT duration_ns AS d FROM spans {where} ORDER BY start_ns, span_id LIMIT 310)",
    ],
)
def test_ties_are_broken_as_the_query_says(store: Store, sql: str) -> None:
    cut = store.sql(sql.format(where="")).rows()
    assert cut == store.sql(sql.format(where=f"WHERE {EVERYWHERE}")).rows()
    assert segments_read(store, sql.format(where="")) < 8


def test_segments_that_are_not_needed_are_not_fetched(tmp_path: Path) -> None:
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    settings: dict[str, Any] = {"background": False, "segments_url": bucket.as_uri()}
    with tracestore.open(tmp_path / "store", **settings) as opened:
        for part in range(5):
            rows = [drawn(random.Random(part), part * 20 + i, part * 9_000) for i in range(20)]
            opened.insert("spans", rows)
            opened.flush()
    cache = tmp_path / "store" / "cache"
    for file in cache.glob("*"):
        file.unlink()
    with tracestore.open(tmp_path / "store", "r", **settings) as opened:
        found = opened.sql(
            "SELECT attributes.n AS n FROM spans ORDER BY start_ns DESC LIMIT 3"
        ).rows()
        assert all(row["n"] >= 80 for row in found)
        assert len(list(cache.glob("*.parquet"))) == 1


@pytest.mark.parametrize("order", ["DESC", "ASC"])
def test_times_within_one_microsecond_are_ties(tmp_path: Path, order: str) -> None:
    with tracestore.open(tmp_path, background=False) as opened:
        for part in range(4):
            rows = [
                {
                    "trace_id": "a" * 32,
                    "span_id": f"{(part * 7 + i * 5) % 31 + 1:016x}",
                    "start_ns": START_NS + part * 200 + i * 20,
                }
                for i in range(6)
            ]
            opened.insert("spans", rows)
            opened.flush()
        sql = f"SELECT span_id FROM spans {{}} ORDER BY start_time {order}, span_id LIMIT 3"
        assert (
            opened.sql(sql.format("")).rows()
            == opened.sql(sql.format(f"WHERE {EVERYWHERE}")).rows()
        )


@pytest.mark.parametrize(
    ("where", "order"),
    [
        (f"start_ns >= {START_NS + 4_000_000}", "DESC"),
        (f"start_ns > {START_NS + 7_500_000} AND start_time >= '2026-09-21'", "DESC"),
        (f"{START_NS + 2_000_000} > start_ns", "ASC"),
    ],
)
def test_times_that_the_end_lies_in(store: Store, where: str, order: str) -> None:
    sql = f"SELECT start_ns AS t FROM spans WHERE {{}} ORDER BY start_ns {order} LIMIT 25"
    assert is_cut(store, sql.format(where))
    assert (
        store.sql(sql.format(where)).rows()
        == store.sql(sql.format(f"{where} AND {EVERYWHERE}")).rows()
    )


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT start_ns FROM spans WHERE start_ns < 1790000000002000000 ORDER BY start_ns DESC LIMIT 5",
        "SELECT start_ns FROM spans WHERE start_ns BETWEEN 0 AND 1790000000002000000 ORDER BY start_ns LIMIT 5",
        "SELECT start_ns FROM spans WHERE duration_ns = 3 ORDER BY start_ns DESC LIMIT 5",
        "SELECT start_ns FROM spans WHERE start_ns >= duration_ns ORDER BY start_ns DESC LIMIT 5",
        "SELECT start_ns FROM spans WHERE start_ns > 5 OR name = 'op1' ORDER BY start_ns DESC LIMIT 5",
        "SELECT duration_ns AS start_ns FROM spans ORDER BY start_ns DESC LIMIT 5",
        "SELECT * REPLACE (duration_ns AS start_ns) FROM spans ORDER BY start_ns DESC LIMIT 5",
        "SELECT name, count(*) AS n FROM spans GROUP BY name ORDER BY name LIMIT 5",
        "SELECT DISTINCT start_ns FROM spans ORDER BY start_ns DESC LIMIT 200",
        "SELECT start_ns, row_number() OVER (ORDER BY start_ns) AS r FROM spans ORDER BY start_ns DESC LIMIT 5",
        "SELECT start_ns, unnest(attributes.tags) AS tag FROM spans ORDER BY start_ns DESC LIMIT 50",
        "SELECT start_ns FROM spans ORDER BY start_ns DESC LIMIT 50 OFFSET (SELECT 3)",
        "SELECT start_ns FROM spans ORDER BY start_ns DESC LIMIT 1%",
        "SELECT start_ns FROM spans ORDER BY duration_ns, start_ns DESC LIMIT 5",
        "SELECT start_ns FROM spans ORDER BY start_ns + 1 DESC LIMIT 5",
        "SELECT a.start_ns FROM spans AS a, spans AS b WHERE a.span_id = b.span_id ORDER BY a.start_ns DESC LIMIT 5",
        "SELECT start_ns FROM spans QUALIFY row_number() OVER (ORDER BY start_ns) < 3 ORDER BY start_ns DESC LIMIT 9",
        "SELECT start_ns FROM spans ORDER BY start_ns DESC",
        "SELECT start_ns FROM experiment('x') ORDER BY start_ns DESC LIMIT 5",
        "SELECT start_ns FROM spans UNION ALL SELECT 5 AS start_ns ORDER BY start_ns DESC LIMIT 3",
        "WITH spans AS (SELECT 7 AS start_ns) SELECT start_ns FROM spans ORDER BY start_ns DESC LIMIT 3",
    ],
)  # fmt: skip
def test_what_needs_other_rows_reads_them(store: Store, sql: str) -> None:
    assert not is_cut(store, sql)
    store.sql(sql).rows()


def test_a_late_row_in_memory_is_the_last_one(store: Store) -> None:
    sql = "SELECT name FROM spans ORDER BY start_ns DESC LIMIT 1"
    store.insert("spans", [{**drawn(random.Random(1), 9_999, 50_000), "name": "late"}])
    assert store.sql(sql).rows() == [{"name": "late"}]
