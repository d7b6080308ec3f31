"""What reaches the files: filters, columns, limits, pruned segments; and what one odd row costs others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import tracestore
from data.stores import START_NS, span
from tracestore import Store
from tracestore_query import Query
from tracestore_query.execute import row_lookup
from tracestore_query.execute.execution import Execution

HOUR = 3_600_000_000_000


def with_attributes(number: int, **attributes: Any) -> dict[str, Any]:
    return span(
        number,
        trace_id=f"{number + 1:032x}",
        name=f"op-{number % 3}",
        kind="CLIENT",
        attributes={"n": number, "word": f"w{number % 5}", **attributes},
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with tracestore.open(tmp_path / "store", background=False) as opened:
        yield opened


def plan(store: Store, sql: str) -> dict[str, list[str]]:
    """Returns the steps of EXPLAIN by name."""
    found: dict[str, list[str]] = {}
    for row in store.sql(f"EXPLAIN ANALYZE {sql}").rows():
        found.setdefault(row["step"], []).append(row["detail"])
    return found


def parquet_scans(profile: str) -> list[str]:
    """Returns the text of each scan of files in an engine's profile."""
    return [box for box in re.split(r"╭─", profile) if "READ_PARQUET" in box]


def test_filters_and_columns_reach_the_files(store: Store) -> None:
    store.insert("spans", [with_attributes(i) for i in range(500)])
    store.flush()
    found = plan(
        store, "SELECT attributes.word FROM spans WHERE attributes.n > 480 AND kind = 'CLIENT'"
    )
    [scan] = parquet_scans(found["profile"][0])
    filters = scan.split("Filters:")[1].split("Total Files")[0]
    assert "> 480" in filters
    assert "kind = 'CLIENT'" in filters
    projected = scan.split("Projections:")[1].split("Filters:")[0]
    assert len(projected.split("│")[0].split(",")) == 1
    assert found["leaf columns"] == ["attributes.word:str, attributes.n:i64"]
    assert found["columns"] == ["kind"]


def test_a_limit_stops_the_scan(store: Store) -> None:
    for start in range(0, 4000, 400):
        store.insert("spans", [with_attributes(i) for i in range(start, start + 400)])
        store.flush()
    found = plan(store, "SELECT attributes.word FROM spans LIMIT 3")
    assert "Streaming Limit" in found["profile"][0]
    [scan] = parquet_scans(found["profile"][0])
    assert int(re.findall(r"(\d+) rows", scan)[-1]) < 4000


def test_the_top_rows_are_found_before_their_objects_are_read(store: Store) -> None:
    store.insert("spans", [with_attributes(i, deep={"a": i, "b": [i]}) for i in range(500)])
    store.flush()
    sql = "SELECT attributes FROM spans ORDER BY start_ns DESC LIMIT 2"
    found = plan(store, sql)
    assert found["leaf columns"] == ["none"]
    assert found["rebuilt"] == ["column 1: attributes, for returned rows"]
    assert "overflow" not in found
    rows = store.sql(sql).rows()
    assert [row["attributes"]["deep"] for row in rows] == [{"a": n, "b": [n]} for n in (499, 498)]


def test_an_object_inside_the_query_is_told(store: Store) -> None:
    store.insert("spans", [with_attributes(i) for i in range(50)])
    store.flush()
    assert "overflow" in plan(store, "SELECT DISTINCT attributes FROM spans")


@pytest.mark.parametrize(
    ("where", "read"),
    [
        ("start_ns >= 1790007200000000000", 2),
        ("start_ns < 1790003600000000000", 1),
        ("start_time >= '2026-09-21T15:33:20Z'", 2),
        ("start_time BETWEEN '2026-09-21T15:13:20Z' AND '2026-09-21T15:43:20Z'", 1),
        ("start_time >= TIMESTAMPTZ '2026-09-21 15:33:20+00' - INTERVAL 1 HOUR", 3),
        ("'2026-09-21T15:33:20Z' <= start_time AND attributes.n >= 0", 2),
        ("start_time >= $since", 2),
        ("start_time > now() + INTERVAL 3650 DAY", 0),
        ("start_time > now() + INTERVAL 10 YEAR AND start_time > current_timestamp", 0),
        ("start_time >= '2026-09-21T15:33:20Z' OR kind = 'CLIENT'", 4),
        ("NOT start_time >= '2026-09-21T15:33:20Z'", 4),
        ("attributes.only_2 = 1", 1),
        ("attributes.only_2 IS NOT NULL", 1),
        ("attributes.only_2 IS NULL", 4),
        ("attributes.only_2 = 1 OR attributes.only_3 = 1", 4),
        ("attributes.only_2 = 1 AND attributes.only_3 = 1", 0),
        ("attributes.nowhere = 1", 0),
        ("coalesce(attributes.only_2, 1) = 1", 4),
    ],
)
def test_segments_are_pruned(where: str, read: int, store: Store) -> None:
    for hour in range(4):
        rows = [
            {**with_attributes(i, **{f"only_{hour}": 1}), "start_ns": START_NS + hour * HOUR + i}
            for i in range(hour * 50, hour * 50 + 50)
        ]
        store.insert("spans", rows)
        store.flush()
    params = {"since": "2026-09-21T15:33:20Z"} if "$" in where else None
    result = store.sql(f"SELECT count(*) AS n FROM spans WHERE {where}", params)
    assert result.stats.segments_read == read
    assert result.stats.segments_pruned == 4 - read
    counted = result.rows()[0]["n"]
    kept = store.sql(
        f"SELECT count(*) AS n FROM (SELECT *, ({where}) AS kept FROM spans) WHERE kept", params
    ).rows()[0]["n"]
    assert counted == kept


def test_each_scan_of_a_query_has_its_own_time_range(store: Store) -> None:
    for hour in range(4):
        numbers = range(hour * 20, hour * 20 + 20)
        rows = [{**with_attributes(i), "start_ns": START_NS + hour * HOUR + i} for i in numbers]
        store.insert("spans", rows)
        store.flush()
    result = store.sql(
        "SELECT (SELECT count(*) FROM spans WHERE start_ns < 1790003600000000000) AS a, "
        "(SELECT count(*) FROM spans WHERE start_ns >= 1790007200000000000) AS b"
    )
    assert result.stats.segments_read == 3
    assert result.rows() == [{"a": 20, "b": 40}]


def test_one_odd_row_changes_no_other_path(store: Store) -> None:
    store.insert("spans", [with_attributes(i, other=i % 7) for i in range(400)])
    store.flush()
    sql = "SELECT attributes.other, count(*) FROM spans WHERE attributes.n > 10 GROUP BY 1"
    before = plan(store, sql)
    odd = with_attributes(1000, other=1)
    odd["attributes"]["word"] = 5
    store.insert("spans", [odd, *(with_attributes(i, other=i % 7) for i in range(400, 800))])
    store.flush()
    after = plan(store, sql)
    assert after["leaf columns"] == before["leaf columns"]
    scans = parquet_scans(after["profile"][0])
    assert len(scans) == len(parquet_scans(before["profile"][0])) == 1
    projected = [
        re.sub(r"\s+", "", scan.split("Projections:")[1].split("Total")[0])
        for scan in (*scans, *parquet_scans(before["profile"][0]))
    ]
    assert len(set(projected)) == 1


def test_rows_of_a_tail_path_are_found_in_the_sidecar(store: Store) -> None:
    store.insert("spans", [with_attributes(i, **{f"rare_{i}": i}) for i in range(400)])
    store.flush()
    sql = "SELECT name, attributes.rare_77 AS v FROM spans WHERE attributes.rare_77 = 77"
    [scan] = parquet_scans(plan(store, sql)["profile"][0])
    assert "file_row_number = 77" in scan or "file_row_number IN (77)" in scan
    assert re.findall(r"(\d+) rows?", scan)[-1] == "1"
    assert store.sql(sql).rows() == [{"name": "op-2", "v": 77}]
    # Where nothing else is asked for, the segment is not read at all.
    alone = (
        "SELECT count(*) AS n, sum(attributes.rare_77) AS s FROM spans WHERE attributes.rare_77 > 7"
    )
    assert parquet_scans(plan(store, alone)["profile"][0]) == []
    assert store.sql(alone).rows() == [{"n": 1, "s": 77}]


def test_a_tail_path_that_many_rows_have_is_joined(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_lookup, "MAX_TAIL_ROWS", 3)
    # Other paths in the tail: where there is one alone, the reader need not look at its name.
    rows = [
        with_attributes(i, **({"mixed": i} if i % 9 == 0 and i < 99 else {f"rare_{i}": i}))
        for i in range(400)
    ]
    store.insert("spans", rows)
    store.flush()
    sql = "SELECT name, attributes.mixed AS v FROM spans WHERE attributes.mixed >= 45 ORDER BY v"
    profile = plan(store, sql)["profile"][0]
    assert "path = 'attributes.mixed'" in profile
    assert [row["v"] for row in store.sql(sql).rows()] == [45, 54, 63, 72, 81, 90]


def test_a_tail_path_that_many_rows_have_is_read_alone_where_nothing_else_is_asked_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_lookup, "MAX_TAIL_ROWS", 3)
    monkeypatch.setattr(row_lookup, "MAX_ROWS_ALONE", 3)
    every_row = Query(store, shortcuts=False)
    held = {i: i if i % 2 else f"t{i}" for i in range(0, 390, 15)}
    rows = [with_attributes(i, **{"mixed": held.get(i, ""), f"rare_{i}": i}) for i in range(400)]
    for row in rows:
        if row["attributes"]["mixed"] == "":
            del row["attributes"]["mixed"]
    for start in (0, 200):
        store.insert("spans", rows[start : start + 200])
        store.flush()
    late = with_attributes(33, mixed=33)
    store.insert("spans", [{**late, "name": "later version"}])
    store.delete(where=f"span_id = '{rows[60]['span_id']}'")
    texts = [
        "SELECT count(*) AS n, sum(attributes.mixed) AS s FROM spans WHERE attributes.mixed > 10",
        "SELECT count(*) AS n FROM spans WHERE attributes.mixed LIKE 't%'",
        "SELECT attributes.mixed AS m FROM spans WHERE attributes.mixed IS NOT NULL ORDER BY 1",
    ]
    for sql in texts:
        found = store.sql(sql).rows()
        assert found == every_row.sql(sql).rows()
        assert found
    [scan] = parquet_scans(plan(store, texts[0])["profile"][0])
    assert "tail" in plan(store, texts[0])["engine sql"][0]
    assert "file_row_number" not in scan
    every_row.close()


@pytest.mark.parametrize("most", [3, 2000])
def test_rows_of_a_tail_path_are_looked_up_once_for_all_texts(
    store: Store, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(row_lookup, "MAX_TAIL_ROWS", most)
    fetched: list[str] = []
    fetch = Execution.fetch

    def noted(execution: Execution, sql: str, *others: Any) -> pa.Table:
        fetched.append(sql)
        return fetch(execution, sql, *others)

    monkeypatch.setattr(Execution, "fetch", noted)
    every_row = Query(store, shortcuts=False)

    def asked(sql: str) -> int:
        fetched.clear()
        rows = store.sql(sql).rows()
        looked_up = len(fetched)
        assert rows == every_row.sql(sql).rows(), sql
        return looked_up

    def insert(start: int) -> None:
        rows = [
            with_attributes(i, **{f"rare_{i}": i}, **({"n2": i} if i % 40 == 0 else {}))
            for i in range(start, start + 200)
        ]
        store.insert("spans", rows)
        store.flush()

    insert(0)
    insert(200)
    alone = "SELECT count(*) AS n, sum(attributes.n2) AS s FROM spans WHERE attributes.n2 >"
    beside = "SELECT name, attributes.n2 AS v FROM spans WHERE attributes.n2 > {} ORDER BY v"
    assert asked(f"{alone} 40") == 1
    assert [asked(f"{alone} {n}") for n in (41, 80, 900)] == [0, 0, 0]
    # Numbers that are read alone may be many; beside other columns few rows are looked up.
    assert [asked(beside.format(n)) for n in (30, 120)] == [0, 0]
    insert(400)
    assert [asked(f"{alone} {n}") for n in (50, 51)] == [1, 0]
    store.delete(where="attributes.n2 = 120")
    asked(f"{alone} 52")
    late = with_attributes(80, n2=7000)
    store.insert("spans", [{**late, "name": "later version"}])
    assert asked(f"{alone} 53") == 0
    store.compact(full=True)
    assert [asked(f"{alone} {n}") for n in (54, 55)] == [1, 0]
    every_row.close()


def test_tails_columns_and_memory_are_one_path(store: Store) -> None:
    # A column in the first segment, in the tail of two others with other types, in memory in a fourth.
    store.insert("spans", [with_attributes(i, mix=i) for i in range(100)])
    store.flush()
    store.insert(
        "spans",
        [with_attributes(i, **({"mix": f"t{i}"} if i == 150 else {})) for i in range(100, 200)],
    )
    store.flush()
    store.insert(
        "spans",
        [with_attributes(i, **({"mix": {"in": i}} if i == 250 else {})) for i in range(200, 300)],
    )
    store.flush()
    store.insert(
        "spans", [with_attributes(i, **({"mix": 0.5} if i == 350 else {})) for i in range(300, 400)]
    )
    assert store.sql(
        "SELECT count(attributes.mix) AS n, sum(attributes.mix) AS s, "
        "count(*) FILTER (attributes.mix = 't150') AS t, max(attributes.mix.in) AS i FROM spans"
    ).rows() == [{"n": 103, "s": 4950.5, "t": 1, "i": 250}]
    rows = store.sql(
        "SELECT span_id, attributes.mix AS v FROM spans WHERE attributes.mix IS NOT NULL "
        "AND attributes.n >= 99 ORDER BY span_id"
    ).rows()
    assert [row["v"] for row in rows] == [99, "t150", {"in": 250}, 0.5]


def test_functions_of_a_query_are_gone_after_it(store: Store) -> None:
    store.insert("spans", [with_attributes(i) for i in range(5)])
    for _ in range(3):
        store.sql("SELECT DISTINCT attributes FROM spans").rows()
    cursor = store.query._engine.cursor()
    listed = cursor.execute(
        "SELECT count(*) FROM duckdb_functions() WHERE function_name LIKE '\\_\\_object%' ESCAPE '\\'"
    ).fetchall()
    assert listed == [(0,)]


def test_times_are_utc_wherever_the_process_is(store: Store) -> None:
    store.insert("spans", [with_attributes(0)])
    assert store.sql("SELECT start_time::VARCHAR AS t FROM spans").rows() == [
        {"t": "2026-09-21 14:13:20+00"}
    ]
    result = store.sql("SELECT start_time FROM spans")
    assert str(result.schema.field(0).type) == "timestamp[us, tz=UTC]"
    result.close()
