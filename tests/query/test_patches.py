"""SQL over patched paths: the same answers wherever the rows lie, and as if the spans had come so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tracestore
from data.stores import START_NS, STATES, span
from tracestore import Store

COUNT = 60
STATES_OF_PATCHES = (*STATES, "folded", "mixed")


def scored(number: int, **more: Any) -> dict[str, Any]:
    attributes = {"n": number, "model": f"m{number % 2}", "metadata": '{"from": "attribute"}'}
    row = span(
        number,
        trace_id=f"{number // 3 + 1:032x}",
        name=f"op{number % 3}",
        attributes=attributes,
        input={"question": f"q{number % 10}"},
        scores={"quality": number / 100},
        metadata={"category": f"c{number % 4}", f"rare{number}": number},
        **more,
    )
    if number % 3:
        row["parent_span_id"] = f"{number - number % 3 + 1:016x}"
    if number >= 30:
        row["experiment"] = "b" if number >= 45 else "a"
    return row


PATCHES: list[tuple[int, dict[str, Any]]] = [
    (3, {"scores": {"quality": 0.99}}),
    (3, {"scores": {"late": True}}),
    (5, {"scores": {"quality": None}}),
    (8, {"scores": {"quality": True}}),
    (9, {"scores": None}),
    (12, {"metadata": {"category": {"main": "x", "sub": 1}}}),
    (13, {"metadata": {"rare13": "text", "rare7": 7}}),
    (14, {"metadata": {"rare14": None}}),
    (15, {"expected": {"answer": [1, {"k": "v"}]}}),
    (16, {"expected": "text"}),
    (16, {"expected": 5}),
    (20, {"tags": ["checked", "good"]}),
    (21, {"comment": "fine"}),
    (33, {"scores": {"quality": 1}}),
    (48, {"scores": {"quality": 0}}),
    (51, {"metrics": {"tokens": 100}}),
    (58, {"scores": {"only.dotted": 2, "late": False}}),
]

QUERIES = (
    "SELECT count(*) AS n, round(sum(scores.quality), 9) AS s, count(scores.late) AS l FROM spans",
    "SELECT span_id, scores, metadata, tags, expected FROM spans ORDER BY span_id",
    "SELECT * EXCLUDE (start_time, end_time) FROM spans WHERE scores.late IS NOT NULL ORDER BY span_id",
    "SELECT span_id FROM spans WHERE scores.late = true",
    "SELECT span_id FROM spans WHERE scores.late OR tags IS NOT NULL ORDER BY 1",
    "SELECT scores.late AS l, count(*) AS n FROM spans GROUP BY 1 ORDER BY 1",
    "SELECT typeof(scores.quality) AS t, count(*) AS n FROM spans GROUP BY 1 ORDER BY 1",
    "SELECT typeof(metadata.category) AS t, count(*) AS n FROM spans GROUP BY 1 ORDER BY 1",
    "SELECT typeof(expected) AS t, count(*) AS n FROM spans GROUP BY 1 ORDER BY 1",
    "SELECT span_id, expected FROM spans WHERE expected IS NOT NULL ORDER BY 1",
    "SELECT expected.answer[1].k AS k FROM spans WHERE expected.answer IS NOT NULL",
    "SELECT span_id, metadata.category.main AS m FROM spans WHERE metadata.category.main = 'x'",
    (
        "SELECT metadata.rare13 AS r, metadata.rare14 AS o, metadata.rare7 AS s, metadata.rare12 AS u "
        "FROM spans WHERE attributes.n BETWEEN 6 AND 15 ORDER BY attributes.n"
    ),
    "SELECT span_id FROM spans WHERE metadata.rare13 = 'text'",
    "SELECT span_id FROM spans WHERE metadata.rare14 IS NOT NULL",
    "SELECT span_id FROM spans WHERE metadata.rare7 = 7 ORDER BY 1",
    "SELECT span_id, metadata FROM spans WHERE metadata.rare7 = 7 ORDER BY 1",
    "SELECT count(*) AS n FROM spans WHERE scores::VARCHAR LIKE '%late%'",
    "SELECT span_id, tags FROM spans WHERE list_contains(tags, 'good')",
    "SELECT unnest(tags) AS t FROM spans",
    "SELECT metadata.comments[0].text AS c, span_id FROM spans WHERE metadata.comments IS NOT NULL",
    "SELECT attributes, scores FROM spans WHERE attributes.n IN (12, 13, 20) ORDER BY span_id",
    "SELECT attributes.metadata AS a FROM spans WHERE attributes.n IN (12, 13, 20) ORDER BY span_id",
    (
        "SELECT span_id, scores.quality AS q FROM spans "
        f"WHERE start_ns >= {START_NS + 3_000_000} AND start_ns < {START_NS + 9_000_000} ORDER BY 1"
    ),
    (
        "SELECT span_id, scores.quality AS q, scores FROM spans "
        "WHERE trace_id = '00000000000000000000000000000002' ORDER BY 1"
    ),
    (
        "SELECT a.span_id FROM spans a JOIN spans b ON a.trace_id = b.trace_id "
        "WHERE b.scores.quality > 0.9 AND NOT coalesce(b.scores.late, true) ORDER BY 1"
    ),
    "SELECT max(scores.quality) OVER (PARTITION BY name) AS m FROM spans ORDER BY span_id",
    "SELECT trace_id, tokens FROM traces WHERE tokens IS NOT NULL",
    "SELECT name, case_count FROM experiments ORDER BY 1",
    "SELECT input_key, name, score, before, after, status FROM compare('a', 'b') ORDER BY ALL",
    'SELECT scores.only.dotted AS d FROM spans WHERE scores."only.dotted" = 2',
)


def plainly(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


def rounded(value: Any) -> Any:
    """Returns a value with doubles of twelve digits: a sum's last ones are those of the order of its rows."""
    return json.loads(
        json.dumps(value, default=str), parse_float=lambda text: float(f"{float(text):.12g}")
    )


def as_patched() -> list[dict[str, Any]]:
    """Returns the spans as they are after all patches, written down by hand."""
    rows = {number: scored(number) for number in range(COUNT)}
    rows[3]["scores"] = {"quality": 0.99, "late": True}
    rows[5]["scores"] = {}
    rows[8]["scores"] = {"quality": True}
    del rows[9]["scores"]
    rows[12]["metadata"]["category"] = {"main": "x", "sub": 1}
    rows[13]["metadata"] |= {"rare13": "text", "rare7": 7}
    del rows[14]["metadata"]["rare14"]
    rows[15]["expected"] = {"answer": [1, {"k": "v"}]}
    rows[16]["expected"] = 5
    rows[20]["tags"] = ["checked", "good"]
    rows[33]["scores"] = {"quality": 1}
    rows[48]["scores"] = {"quality": 0}
    rows[51]["metrics"] = {"tokens": 100}
    rows[58]["scores"] |= {"only.dotted": 2, "late": False}
    return list(rows.values())


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with tracestore.open(tmp_path_factory.mktemp("wanted"), background=False) as store:
        rows = as_patched()
        store.insert("spans", rows)
        (comment,) = [(n, change) for n, change in PATCHES if "comment" in change]
        # Its time is the store's own: the one thing that cannot be written down.
        patch(store, *comment)
        store.flush()
        store.compact(full=True)
        yield store


def patch(store: Store, number: int, change: dict[str, Any]) -> None:
    row = scored(number)
    store.patch({"trace_id": row["trace_id"], "span_id": row["span_id"], **change})


@pytest.fixture(scope="module", params=STATES_OF_PATCHES)
def patched(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    state = request.param
    with tracestore.open(tmp_path_factory.mktemp("patched"), background=False) as store:
        rows = [scored(number) for number in range(COUNT)]
        early = PATCHES[::2] if state in {"many segments", "mixed"} else []
        for number, change in early[:5]:
            patch(store, number, change)
        pieces = 6 if state in {"many segments", "compacted", "mixed"} else 1
        size = COUNT // pieces
        for start in range(0, COUNT, size):
            store.insert("spans", rows[start : start + size])
            if state != "memtable" and not (state == "mixed" and start >= COUNT - 2 * size):
                store.flush()
        if state == "compacted":
            store.compact(full=True)
        for number, change in [each for each in PATCHES if each not in early[:5]]:
            patch(store, number, change)
            if state == "mixed" and number == 15:
                store.compact(full=True)
        if state == "folded":
            store.compact(full=True)
            assert store._core.patches.count == 0
        yield store


def without_times(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row in rows:
        for entry in (row.get("metadata") or {}).get("comments", []):
            del entry["time"]
    return rows


@pytest.mark.parametrize("sql", QUERIES)
def test_answers_are_those_of_spans_that_came_so(patched: Store, wanted: Store, sql: str) -> None:
    expected = without_times(plainly(wanted.sql(sql).rows()))
    for _ in range(2):
        assert without_times(plainly(patched.sql(sql).rows())) == expected


def test_a_kept_plan_does_not_outlive_a_patch(tmp_path: Path) -> None:
    with tracestore.open(tmp_path, background=False) as store:
        store.insert("spans", [scored(n) for n in range(10)])
        store.flush()
        sql = "SELECT sum(scores.quality) AS s, count(scores.new) AS n FROM spans"
        assert store.sql(sql).rows()[0]["n"] == 0
        for number in range(4):
            patch(store, number, {"scores": {"new": number}})
            for _ in range(2):
                assert store.sql(sql).rows()[0]["n"] == number + 1
        store.compact(full=True)
        for _ in range(2):
            assert store.sql(sql).rows()[0]["n"] == 4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tracestore_query.engine.scan_sql.MAX_BESIDE", 1),
        ("tracestore.store.patches.merged.MAX_COLUMN_BYTES", 0),
        ("tracestore.store.patches.lookup.MAX_KEY_BYTES", 0),
        ("tracestore.store.patches.lookup.MAX_PATCHED_ROWS", 0),
        ("tracestore.store.patches.lookup.MAX_CHUNKS", 0),
        ("tracestore.store.patches.merged.MAX_TIME_BYTES", 0),
        ("tracestore.store.patches.merged.MAX_CHUNKS", 0),
        ("tracestore.store.patches.merged.MAX_OVERLAY_BYTES", 0),
    ],
)
def test_bounds_of_memory_change_no_answer(
    tmp_path: Path, wanted: Store, monkeypatch: pytest.MonkeyPatch, name: str, value: int
) -> None:
    monkeypatch.setattr(name, value)
    with tracestore.open(tmp_path, background=False) as store:
        for start in range(0, COUNT, 15):
            store.insert("spans", [scored(n) for n in range(start, start + 15)])
            store.flush()
        for number, change in PATCHES:
            patch(store, number, change)
        for sql in (QUERIES[0], QUERIES[1], QUERIES[5], QUERIES[6]):
            expected = without_times(plainly(wanted.sql(sql).rows()))
            assert without_times(plainly(store.sql(sql).rows())) == expected


def test_experiments_are_compared_by_their_patched_scores(patched: Store, wanted: Store) -> None:
    found, expected = (rounded(each.experiments.compare("a", "b")) for each in (patched, wanted))
    for answer in (found, expected):
        answer["cases"].sort(key=lambda case: case["key"])
    assert found == expected


def test_rows_of_one_segment_only_match_through_patches(tmp_path: Path) -> None:
    with tracestore.open(tmp_path, background=False) as store:
        for number in range(3):
            store.insert("spans", [scored(number)])
            store.flush()
        sql = "SELECT span_id FROM spans WHERE scores.fresh > 0.5"
        assert store.sql(sql).rows() == []
        patch(store, 1, {"scores": {"fresh": 0.7}})
        result = store.sql(sql)
        assert result.stats.segments_read == 1
        assert result.rows() == [{"span_id": scored(1)["span_id"]}]


def test_rows_of_many_row_groups_keep_their_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The patched columns stand beside the file's, row by row, whatever threads read the file."""
    monkeypatch.setattr("tracestore.limits.ROW_GROUP_ROWS", 2500)
    count = 40_000
    with tracestore.open(tmp_path, background=False, durability="async") as store:
        store.insert(
            "spans",
            b"\n".join(
                b'{"trace_id": "%032x", "span_id": "%016x", "name": "n%d", "start_ns": %d, "scores": {"a": %d}}'
                % (n + 1, n + 1, n % 7, START_NS + n, n)
                for n in range(count)
            ),
        )
        store.flush()
        changed = range(3, count, 97)
        store.patch(
            {"trace_id": f"{n + 1:032x}", "span_id": f"{n + 1:016x}", "scores": {"a": -n, "b": n}}
            for n in changed
        )
        held = f"abs(scores.a) = start_ns - {START_NS}"
        for where in (
            "true",
            f"start_ns >= {START_NS + 10_001} AND start_ns < {START_NS + 30_007}",
            "name = 'n3'",
            f"start_ns = {START_NS + 100}",
        ):
            sql = (
                f"SELECT count(*) AS n, count(*) FILTER (WHERE {held}) AS held,"
                " count(*) FILTER (WHERE scores.a < 0) AS low, count(scores.b) AS b,"
                f" count(*) FILTER (WHERE scores.b = start_ns - {START_NS}) AS right"
                f" FROM spans WHERE {where}"
            )
            before = store.sql(sql).rows()[0]
            assert before["n"] == before["held"]
            assert before["low"] == before["b"] == before["right"]
            store_rows = store.sql(f"SELECT scores FROM spans WHERE {where}").rows()
            assert len(store_rows) == before["n"]
            assert sum("b" in row["scores"] for row in store_rows) == before["b"]
        total = store.sql("SELECT count(scores.b) AS b FROM spans").rows()
        assert total == [{"b": len(changed)}]
