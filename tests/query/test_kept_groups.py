"""Groups that are kept by segment never change an answer, are void where their rows change, and save reading."""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import tracestore
from data.stores import DAY_NS, START_NS, ndjson, span
from tracestore import Store
from tracestore.store import FileSystem, GroupTables
from tracestore_query import KeepRule, Query

EVERY_SEGMENT = KeepRule(segment_rows=1, rows=1, bytes_of_row=4096)
DAYS = 4
SPANS_OF_DAY = 120

KEPT = [
    "SELECT count(*) FROM spans",
    "SELECT count(*) AS n, count(attributes.cost) AS some, sum(attributes.n) AS s, avg(attributes.n) AS a FROM spans",
    "SELECT name, count(*) FROM spans GROUP BY name ORDER BY name",
    "SELECT name, count(*) AS n FROM spans GROUP BY ALL HAVING n > 9 ORDER BY n DESC, name LIMIT 3",
    "SELECT name AS called, sum(attributes.n) FROM spans GROUP BY called ORDER BY 1",
    "SELECT name, avg(attributes.cost) AS c FROM spans GROUP BY 1 ORDER BY avg(attributes.cost) DESC, 1",
    "SELECT upper(name) AS u, min(attributes.n), max(duration_ns) FROM spans GROUP BY upper(name) ORDER BY u",
    "SELECT time_bucket(INTERVAL 6 HOUR, start_time) AS t, count(*) AS n FROM spans GROUP BY ALL ORDER BY t",
    "SELECT date_trunc('day', start_time) AS d, name, sum(attributes.cost) AS c FROM spans GROUP BY ALL ORDER BY ALL",
    "SELECT attributes.mixed AS m, count(*) AS n FROM spans GROUP BY ALL ORDER BY ALL",
    "SELECT min(attributes.mixed) AS low, max(attributes.mixed) AS high FROM spans",
    "SELECT attributes.rare AS r, count(*) AS n FROM spans GROUP BY ALL ORDER BY ALL",
    "SELECT count(*) FILTER (WHERE attributes.n > 100) AS many, avg(attributes.n) FILTER (WHERE is_root) FROM spans",
    "SELECT round(100.0 * count(*) FILTER (WHERE status_code = 'ERROR') / count(*), 1) AS share FROM spans",
    "SELECT name, count_if(attributes.n % 2 = 0) AS even, bool_and(is_root) FROM spans GROUP BY ALL ORDER BY name",
    "SELECT attributes.rare IS NULL AS r, count_if(attributes.rare > 1) AS n FROM spans GROUP BY ALL ORDER BY r",
    "SELECT count_if(attributes.n > 1) AS n FROM spans WHERE attributes.n = -1",
    "SELECT name, bool_or(attributes.n = 7) AS seven FROM spans GROUP BY name ORDER BY seven, name",
    "SELECT sum(duration) AS s, max(end_time) AS last FROM spans WHERE attributes.n > 20 AND name <> 'op-1'",
    "SELECT DISTINCT count(*) AS n FROM spans GROUP BY name ORDER BY n",
    "WITH t AS (SELECT name, count(*) AS n FROM spans GROUP BY name) SELECT max(n) AS most, count(*) AS names FROM t",
    "SELECT name, sum(CAST(attributes.n AS DECIMAL(18, 3))) AS s FROM spans GROUP BY name ORDER BY name",
    "SELECT count(*) AS n FROM spans WHERE attributes.n = -1",
    "SELECT name, count(*) AS n FROM spans WHERE attributes.n = -1 GROUP BY name",
    "SELECT severity_text, count(*) AS n FROM logs GROUP BY ALL",
    "SELECT len(list_filter(attributes.items, lambda x: x > 1)) AS k, count(*) FROM spans GROUP BY ALL ORDER BY ALL",
]

DISTINCT = [
    "SELECT approx_count_distinct(attributes.n) AS n, approx_count_distinct(trace_id) AS t FROM spans",
    "SELECT name, approx_count_distinct(attributes.mixed) AS n FROM spans GROUP BY ALL ORDER BY name",
    "SELECT approx_count_distinct(name) FILTER (WHERE attributes.n > 50) AS n, count(*) AS rows FROM spans",
    "SELECT approx_count_distinct(attributes.n) AS n FROM spans WHERE attributes.n = -1",
]
"""Approximate as they are, these give the same with and without: registers of parts combine without a loss."""

QUANTILES = [
    ("duration_ns", "duration_ns"),
    ("duration", "duration"),
    ("CAST(duration AS FLOAT)", "CAST(duration AS FLOAT)"),
    ("CAST(attributes.n AS DECIMAL(18, 2))", "attributes.n"),
    ("CAST(attributes.n % 200 AS UTINYINT)", "attributes.n % 200"),
    ("start_time", "start_time"),
    ("attributes.mixed", "attributes.mixed"),
    ("attributes.size", "attributes.size"),
]
"""What an approximate quantile is asked of, and what its rank is sought among."""

RANK_ERROR = 0.01
"""docs/guide/sql.md promises it."""

READ = [
    "SELECT count(DISTINCT name) FROM spans",
    "SELECT median(attributes.n) FROM spans",
    "SELECT name, string_agg(span_id, ',' ORDER BY span_id) AS ids FROM spans GROUP BY name ORDER BY name",
    "SELECT date_trunc('day', now()) = date_trunc('day', start_time) AS today, count(*) AS n FROM spans GROUP BY ALL",
    "SELECT start_time::DATE = current_date AS today, count(*) AS n FROM spans GROUP BY ALL",
    "SELECT random() > 2 AS r, count(*) AS n FROM spans GROUP BY ALL",
    "SELECT name, count(*) OVER () AS n FROM spans ORDER BY ALL",
    "SELECT name, count(*) AS n FROM spans GROUP BY ROLLUP (name) ORDER BY ALL",
    "SELECT count(*) FROM spans WHERE trace_id IN (SELECT trace_id FROM spans WHERE name = 'op-1')",
    "SELECT a.name, count(*) AS n FROM spans a JOIN spans b ON a.span_id = b.span_id GROUP BY ALL ORDER BY ALL",
    "SELECT 1 AS one, count(*) AS n FROM spans WHERE attributes.n < 0 GROUP BY one",
]


def day(number: int) -> list[dict[str, Any]]:
    """Returns the spans of a day: costs are exact as doubles, whatever the order of additions."""
    first = number * SPANS_OF_DAY
    spans = []
    for i in range(first, first + SPANS_OF_DAY):
        attributes: dict[str, Any] = {"n": i, "cost": i % 9 / 4, "items": list(range(i % 4))}
        attributes["mixed"] = [i % 3, f"word {i % 2}", i % 5 / 2, None, i % 2 == 0][i % 5]
        if i % 30 == 1:
            attributes["rare"] = i % 4
        if i % 7 == 0:
            del attributes["cost"]
        spans.append(
            span(
                i,
                start_ns=START_NS + number * DAY_NS + i * 60 * 10**9,
                attributes=attributes,
                status_code="ERROR" if i % 11 == 0 else "OK",
            )
        )
    return spans


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Gives a store with a segment for each of some days."""
    with tracestore.open(tmp_path / "store", background=False, durability="async") as opened:
        for number in range(DAYS):
            opened.insert("spans", ndjson(day(number)))
            opened.insert(
                "logs",
                [
                    {"time_ns": START_NS + number * DAY_NS + i, "severity_text": "INFO"}
                    for i in range(20)
                ],
            )
            opened.flush()
        yield opened


class Both:
    """One store asked with and without kept groups."""

    def __init__(self, store: Store) -> None:
        self.keeping = Query(store, keeps=EVERY_SEGMENT)
        self.reading = Query(store, shortcuts=False)

    def close(self) -> None:
        self.keeping.close()
        self.reading.close()

    def check(self, sql: str, params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Returns the rows of a statement, which are the same both ways, types and names included."""
        ours, theirs = (query.sql(sql, params).arrow() for query in (self.keeping, self.reading))
        assert ours.schema.equals(theirs.schema), f"{sql}: {ours.schema} {theirs.schema}"
        got: list[dict[str, Any]] = ours.to_pylist()
        want: list[dict[str, Any]] = theirs.to_pylist()
        assert len(got) == len(want), sql
        assert all(map(alike, got, want)), f"{sql}\n{got}\n{want}"
        return got

    def kept(self, sql: str, params: dict[str, Any] | None = None) -> str | None:
        """Returns what EXPLAIN tells of kept groups."""
        steps = self.keeping.sql(f"EXPLAIN {sql}", params).rows()
        return next((row["detail"] for row in steps if row["step"] == "kept groups"), None)

    def read(self, sql: str) -> tuple[int, int]:
        """Returns how many segments and rows in memory a statement reads."""
        with self.keeping.sql(sql) as answer:
            answer.rows()
            return answer.stats.segments_read, answer.stats.memtable_rows


def alike(got: dict[str, Any], want: dict[str, Any]) -> bool:
    return all(
        a == b or (isinstance(a, float) and math.isclose(a, b, rel_tol=1e-14))
        for a, b in zip(got.values(), want.values(), strict=True)
    )


def asking(store: Store) -> contextlib.closing[Both]:
    """Returns the two ways to ask a store, closed at the end of a block."""
    return contextlib.closing(Both(store))


@pytest.fixture
def both(store: Store) -> Iterator[Both]:
    """Gives the two ways to ask the store."""
    with asking(store) as asked:
        yield asked


@pytest.mark.parametrize("sql", KEPT)
def test_a_grouping_that_is_asked_again_reads_what_is_new(
    both: Both, store: Store, sql: str
) -> None:
    both.check(sql)
    assert both.kept(sql) is not None, "its groups are kept"
    both.check(sql)
    assert both.read(sql) == (0, 0)
    store.insert("spans", ndjson(day(DAYS)))
    both.check(sql)
    assert both.read(sql)[0] == 0
    store.flush()
    both.check(sql)
    both.check(sql)


@pytest.mark.parametrize("sql", READ)
def test_what_has_no_parts_or_depends_on_more_than_rows_is_read(both: Both, sql: str) -> None:
    if "random" not in sql:
        both.check(sql)
        both.check(sql)
    assert both.kept(sql) is None
    assert both.read(sql)[0] >= DAYS


@pytest.mark.parametrize("sql", DISTINCT)
def test_approximate_distinct_counts_are_the_same_with_kept_groups(
    both: Both, store: Store, sql: str
) -> None:
    both.check(sql)
    assert both.kept(sql) is not None
    both.check(sql)
    assert both.read(sql) == (0, 0)
    store.insert("spans", ndjson(day(DAYS)))
    both.check(sql)
    store.flush()
    both.check(sql)


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Gives a store of values that lie far apart, grow with time or are of mixed types; the last are in memory."""
    rng = random.Random(5)
    folder = tmp_path_factory.mktemp("sizes") / "store"
    with tracestore.open(folder, background=False, durability="async") as opened:
        for number in range(5):
            rows = []
            for i in range(number * 3000, (number + 1) * 3000):
                mixed = i if i % 3 else f"word {i}"
                attributes = {"n": i, "mixed": mixed, "size": rng.lognormvariate(3, 2)}
                duration_ns = int(rng.paretovariate(0.7) * 1e6)
                row = span(i, start_ns=START_NS + i * 10**10, attributes=attributes)
                rows.append(row | {"duration_ns": min(duration_ns, 10**17)})
            opened.insert("spans", ndjson(rows))
            if number < 4:
                opened.flush()
        yield opened


@pytest.mark.parametrize(("expression", "ranked"), QUANTILES)
def test_approximate_quantiles_are_within_their_error(
    sizes: Store, expression: str, ranked: str
) -> None:
    shares = [0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999]
    with asking(sizes) as both:
        texts = [
            f"SELECT approx_quantile({expression}, {share}) AS q FROM spans" for share in shares
        ]
        texts.append(f"SELECT approx_quantile({expression}, {shares}) AS q FROM spans")
        for query in (both.keeping, both.reading):
            answers = [query.sql(sql).arrow().column("q")[0] for sql in texts]
            # Not the same values: they depend on how the engine's threads shared the rows.
            for share, value in zip(shares * 2, [*answers[:-1], *answers[-1]], strict=True):
                below, until, number = ranks(query, ranked, value)
                assert below / number - RANK_ERROR <= share <= until / number + RANK_ERROR
        for sql in texts:
            assert both.kept(sql) is not None
            assert both.read(sql) == (0, 3000)
            same_types = [query.sql(sql).arrow().schema for query in (both.keeping, both.reading)]
            assert same_types[0].equals(same_types[1])


def ranks(query: Query, expression: str, value: pa.Scalar) -> tuple[int, int, int]:
    """Returns how many values are less than one, how many are not more, and how many there are of its kind."""
    sql = (
        f"SELECT count(*) FILTER (WHERE v < $value) AS below, count(*) FILTER (WHERE v <= $value) AS until, "
        f"count(v) AS n FROM (SELECT TRY_CAST({expression} AS DOUBLE) AS v FROM spans)"
    )
    if pa.types.is_timestamp(value.type):
        sql = sql.replace("AS DOUBLE", "AS TIMESTAMPTZ")
    given = value.as_py()
    [row] = query.sql(sql, {"value": float(given) if isinstance(given, Decimal) else given}).rows()
    return row["below"], row["until"], row["n"]


def test_states_that_take_more_than_a_column_are_not_kept(store: Store) -> None:
    rule = KeepRule(segment_rows=1, rows=1)
    query = Query(store, keeps=rule)
    try:
        counted = "SELECT name, approx_count_distinct(attributes.n) AS n FROM spans GROUP BY ALL"
        query.sql(counted).rows()
        steps = query.sql(f"EXPLAIN {counted}").rows()
        assert "kept groups" not in {row["step"] for row in steps}
    finally:
        query.close()


def test_what_is_new_is_all_that_is_read(both: Both, store: Store) -> None:
    sql = "SELECT name, count(*) AS n FROM spans GROUP BY name ORDER BY name"
    both.check(sql)
    store.insert("spans", ndjson(day(DAYS)))
    assert both.read(sql) == (0, SPANS_OF_DAY)
    store.flush()
    first = both.check(sql)
    store.compact(full=True)
    assert both.check(sql) == first


def test_patches_void_what_they_touch(both: Both, store: Store) -> None:
    scored = "SELECT count(scores.good) AS n, sum(scores.good) AS s FROM spans"
    named = "SELECT name, count(*) AS n FROM spans GROUP BY name ORDER BY name"
    for sql in (scored, named):
        both.check(sql)
    store.patch({"trace_id": f"{1:032x}", "span_id": f"{1:016x}", "scores": {"good": 0.5}})
    assert both.check(scored) == [{"n": 1, "s": 0.5}]
    assert both.read(scored) == (1, 0), "the segment with the patched row is read"
    both.check(named)
    assert both.read(named) == (0, 0), "the patch changes nothing that it groups by"
    store.patch({"trace_id": f"{1:032x}", "span_id": f"{2:016x}", "scores": {"good": 0.25}})
    assert both.check(scored) == [{"n": 2, "s": 0.75}]
    store.compact(full=True)
    assert both.check(scored) == [{"n": 2, "s": 0.75}]


def test_deletes_versions_and_retention_void_what_they_touch(both: Both, store: Store) -> None:
    sql = (
        "SELECT name, count(*) AS n, sum(attributes.n) AS s FROM spans GROUP BY name ORDER BY name"
    )
    total = "SELECT count(*) AS n FROM spans"
    for each in (sql, total):
        both.check(each)
    again = day(0)[5] | {"name": "another", "attributes": {"n": 1000}}
    store.insert("spans", [again])
    rows = both.check(sql)
    assert [row for row in rows if row["name"] == "another"] == [
        {"name": "another", "n": 1, "s": 1000}
    ]
    store.delete(trace_id=f"{3:032x}")
    both.check(sql)
    assert both.check(total) == [{"n": DAYS * SPANS_OF_DAY - 4}]
    store.flush()
    store.compact(full=True)
    both.check(sql)
    assert both.check(total) == [{"n": DAYS * SPANS_OF_DAY - 4}]


def test_segments_that_a_range_of_time_cuts_are_read(both: Both) -> None:
    sql = "SELECT name, count(*) AS n FROM spans WHERE {} GROUP BY name ORDER BY name"
    middle = START_NS + DAY_NS + (SPANS_OF_DAY + 30) * 60 * 10**9
    both.check(sql.format("start_ns >= 0"))
    for condition in (f"start_ns >= {middle}", f"start_ns > {middle}", f"{middle} <= start_ns"):
        both.check(sql.format(condition))
        assert both.read(sql.format(condition)) == (1, 0), (
            "the later days are known by the same name"
        )
    for condition in (
        f"start_ns < {middle}",
        f"start_ns <= {middle}",
        f"start_ns BETWEEN 0 AND {middle}",
    ):
        both.check(sql.format(condition))
        assert both.read(sql.format(condition)) == (1, 0)
    for condition in (
        "start_time >= now() - INTERVAL 3000 DAY",
        "start_time < now() + INTERVAL 3000 DAY",
    ):
        both.check(sql.format(condition))
        assert both.read(sql.format(condition)) == (0, 0)
    both.check(sql.format("start_time >= $since"), {"since": "2026-09-22T14:13:20Z"})


def test_rows_at_the_edge_of_a_range_are_counted_once(both: Both) -> None:
    first = START_NS + DAY_NS + SPANS_OF_DAY * 60 * 10**9
    for at in (first - 1, first, first + 1, first + 999, first + 1000, first + 60 * 10**9):
        for comparison in ("<", "<=", ">", ">=", "="):
            both.check(f"SELECT count(*) AS n FROM spans WHERE start_ns {comparison} {at}")
            moment = f"make_timestamptz({at} // 1000)"
            both.check(f"SELECT count(*) AS n FROM spans WHERE start_time {comparison} {moment}")


def test_values_of_parameters_tell_groups_apart(both: Both) -> None:
    sql = "SELECT count(*) AS n FROM spans WHERE attributes.n < $most"
    assert [both.check(sql, {"most": most})[0]["n"] for most in (10, 20, 10)] == [10, 20, 10]


def test_a_path_that_gets_another_type_is_grouped_anew(both: Both, store: Store) -> None:
    sql = "SELECT attributes.n AS k, count(*) AS c FROM spans WHERE attributes.n < 5 GROUP BY k ORDER BY k"
    both.check(sql)
    store.insert("spans", [span(9000, attributes={"n": 0.5}), span(9001, attributes={"n": "text"})])
    both.check(sql)
    store.flush()
    both.check(sql)


def test_groupings_of_too_many_groups_are_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracestore_query.execute.partial_groups.MAX_SAMPLE_GROUPS", 20)
    sql = "SELECT span_id, count(*) AS n FROM spans GROUP BY span_id ORDER BY span_id"
    with asking(store) as both:
        both.check(sql)
        both.check(sql)
        assert both.kept(sql) is None
        assert both.read(sql) == (DAYS, 0)


def files_of(store: Store) -> set[str]:
    return {path.name.partition("-")[0] for path in (store.folder / "groups").glob("*.groups")}


def live(store: Store) -> set[str]:
    with store.snapshot() as snapshot:
        return {segment.segment_id for segment in snapshot.tables["spans"].segments}


def test_what_is_asked_again_outlives_the_process_and_goes_with_its_segment(tmp_path: Path) -> None:
    sql = "SELECT name, count(*) AS n FROM spans GROUP BY name ORDER BY name"
    with tracestore.open(tmp_path / "store", background=False) as store, asking(store) as both:
        store.insert("spans", ndjson(day(0)))
        store.flush()
        first = both.check(sql)
        assert not files_of(store), "what is asked once leaves no file"
        both.check(sql)
        assert files_of(store) == live(store)
    with tracestore.open(tmp_path / "store", background=False) as store, asking(store) as both:
        assert both.kept(sql) is not None, "the file is read"
        assert both.check(sql) == first
        store.delete(trace_id=f"{1:032x}")
        store.compact(full=True)
        assert not files_of(store) - live(store), "nothing is left of what was deleted"
        both.check(sql)


def test_a_file_that_is_not_as_it_was_written_is_absent(tmp_path: Path) -> None:
    folder = tmp_path / "groups"
    table = pa.table({"n": [1, 2]})
    for cut in (0, 1, 20, -1):
        made = GroupTables(folder, FileSystem(), lambda: True)
        made.put("S", "ab", table)
        assert made.get("S", "ab") == table
        [path] = folder.iterdir()
        path.write_bytes(path.read_bytes()[:cut])
        assert GroupTables(folder, FileSystem(), lambda: True).get("S", "ab") is None
        assert not list(folder.iterdir())


def test_files_stay_within_their_bound(tmp_path: Path) -> None:
    made = GroupTables(tmp_path / "groups", FileSystem(), lambda: True, max_bytes=3 * 4096)
    table = pa.table({"n": [1]})
    for name in "abcde":
        made.put(f"S{name}", name, table)
        made.get(f"S{name}", name)
    assert sorted(path.name[:2] for path in (tmp_path / "groups").iterdir()) == ["Sc", "Sd", "Se"]


def test_a_reader_writes_nothing(store: Store) -> None:
    with tracestore.open(store.folder, mode="r") as reader, asking(reader) as both:
        both.check(KEPT[2])
        both.check(KEPT[2])
        assert both.kept(KEPT[2]) is not None
    assert not files_of(store)
