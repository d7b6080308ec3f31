"""`dataset('name'[, version])` in SQL, and rows that come from queries."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tracestore
from data.stores import STATES, in_state
from tracestore import Store
from tracestore.errors import DatasetError, QueryError, UnknownDatasetError
from tracestore.variant import input_key

STATES_AND_BOTH = (*STATES, "in both")


@pytest.fixture(params=STATES_AND_BOTH)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Gives a store whose dataset `d` has four versions: add, update and add, delete, add."""
    with tracestore.open(tmp_path, background=False) as opened:
        first: list[dict[str, Any]] = [
            {"id": "a", "input": {"q": "one"}, "expected": 1, "metadata": {"kind": "x"}},
            {"id": "b", "input": {"q": "two"}, "expected": "2", "tags": ["t"]},
        ]
        changed: dict[str, Any] = {
            "id": "a",
            "input": {"q": "one"},
            "expected": 11,
            "metadata": {"kind": "x"},
        }
        writes: list[Callable[[], object]] = [
            lambda: opened.datasets.add("d", first),
            lambda: opened.datasets.add("d", [changed, {"id": "c", "input": {"q": ["three"]}}]),
            lambda: opened.datasets.delete("d", ["b"]),
            lambda: opened.datasets.add("d", [{"id": "e", "input": "plain"}]),
        ]
        if request.param == "in both":
            in_state(opened, "one segment", writes[:2])
            in_state(opened, "memtable", writes[2:])
        else:
            in_state(opened, request.param, writes)
        yield opened


def ids(store: Store, source: str) -> list[str]:
    return [row["id"] for row in store.sql(f"SELECT id FROM {source} ORDER BY id").rows()]


def test_each_version_is_as_it_was(store: Store) -> None:
    assert ids(store, "dataset('d', 1)") == ["a", "b"]
    assert ids(store, "dataset('d', 2)") == ["a", "b", "c"]
    assert ids(store, "dataset('d', 3)") == ["a", "c"]
    assert ids(store, "dataset('d')") == ids(store, "dataset('d', NULL)") == ["a", "c", "e"]
    both = "SELECT old.expected AS a, new.expected AS b FROM dataset('d', 1) old JOIN dataset('d') new USING (id)"
    assert store.sql(both).rows() == [{"a": 1, "b": 11}]


def test_paths_stars_and_keys_work_as_on_spans(store: Store) -> None:
    rows = store.sql("SELECT * FROM dataset('d') WHERE metadata.kind = 'x'").rows()
    assert [set(row) for row in rows] == [
        {"project", "id", "version", "created", "created_ns", "input_key", "input", "expected"}
        | {"metadata", "tags", "origin"}
    ]
    assert rows[0]["input"] == {"q": "one"}
    assert rows[0]["version"] == 2
    assert rows[0]["input_key"] == input_key(b'{"q":"one"}')
    for hidden in ("dataset_id", "deleted", "digest"):
        with pytest.raises(QueryError, match=hidden):
            store.sql(f"SELECT {hidden} FROM dataset('d')")


def test_pages_follow_one_another(store: Store) -> None:
    sql = "SELECT id FROM dataset('d') ORDER BY version LIMIT 1"
    seen, cursor = [], ""
    while cursor is not None:
        page = store.sql(sql, cursor=cursor)
        seen += [row["id"] for row in page.rows()]
        cursor = page.cursor  # type: ignore[assignment]
    assert seen == ["a", "c", "e"]


def test_the_catalog_tables_tell_of_it(store: Store) -> None:
    store.datasets.snapshot("d", "golden", version=2)
    (row,) = store.sql("SELECT name, version, versions, rows, snapshots FROM datasets").rows()
    assert row == {"name": "d", "version": 4, "versions": 4, "rows": 3, "snapshots": ["golden"]}
    rows = store.sql(
        "SELECT version, rows, snapshots FROM dataset_versions ORDER BY version"
    ).rows()
    assert [row["rows"] for row in rows] == [2, 3, 2, 3]
    assert rows[1]["snapshots"] == ["golden"]
    assert ids(store, "dataset('d', 'golden')") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("dataset('dd')", "did you mean d"),
        ("dataset('d', 9)", "no version 9"),
        ("dataset('d', 'x')", "no snapshot 'x'"),
        ("dataset('d', 1, 'elsewhere')", "unknown dataset"),
        ("dataset(d)", "takes a name in quotes"),
        ("dataset()", "takes a name in quotes"),
        ("dataset('d', 1, 'default', 2)", "takes a name in quotes"),
        ("dataset_rows", "unknown table"),
    ],
)
def test_what_is_asked_wrongly_is_told_what_to_ask(store: Store, call: str, message: str) -> None:
    with pytest.raises((QueryError, UnknownDatasetError), match=message):
        store.sql(f"SELECT * FROM {call}")


def test_projects_are_kept_apart(store: Store) -> None:
    store.datasets.add("d", [{"id": "z", "input": 1}], project="other")
    with pytest.raises(QueryError, match=r"dataset\('d', NULL, 'default'\)"):
        store.sql("FROM dataset('d')")
    assert ids(store, "dataset('d', NULL, 'other')") == ["z"]
    answer = store.sql("SELECT id FROM dataset('d')", projects=["other"])
    assert answer.rows() == [{"id": "z"}]
    assert store.sql("SELECT project FROM datasets", projects=["other"]).rows() == [
        {"project": "other"}
    ]
    with pytest.raises(QueryError, match="unknown dataset"):
        store.sql("FROM dataset('d')", projects=["none"])


# --- rows from a query ------------------------------------------------------------------------------


def spans(count: int) -> list[dict[str, Any]]:
    return [
        {
            "trace_id": f"{n + 1:032x}",
            "span_id": f"{n + 1:016x}",
            "name": "call",
            "input": {"question": f"q{n}", "list": [{"n": n}, None]},
            "output": {"text": f"a{n}"} if n % 2 else "short",
            "attributes": {"model": "m", "n": n},
            "start_ns": 1_790_000_000_000_000_000 + n,
        }
        for n in range(count)
    ]


def test_a_query_becomes_rows_with_their_origin(tmp_path: Path) -> None:
    with tracestore.open(tmp_path) as store:
        store.insert("spans", spans(50))
        sql = (
            "SELECT trace_id, span_id, input, output, {'model': attributes.model} AS metadata "
            "FROM spans WHERE attributes.n < $most"
        )
        report = store.datasets.add("d", sql=sql, params={"most": 20})
        assert (report.added, report.version) == (20, 1)
        rows = list(store.datasets.rows("d"))
        for n, row in enumerate(rows):
            assert row["input"] == spans(50)[n]["input"]
            assert row["expected"] == spans(50)[n]["output"]
            assert row["metadata"] == {"model": "m"}
            assert row["origin"] == {"trace_id": f"{n + 1:032x}", "span_id": f"{n + 1:016x}"}
        again = store.datasets.add("d", sql=sql, params={"most": 25})
        assert (again.added, again.unchanged, again.rows) == (5, 20, 25)
        joined = (
            "SELECT count(*) AS n FROM spans s JOIN dataset('d') d ON s.input_key = d.input_key"
        )
        assert store.sql(joined).rows() == [{"n": 25}]


def test_every_column_of_spans_may_be_there_and_others_are_told_where_to_go(tmp_path: Path) -> None:
    with tracestore.open(tmp_path) as store:
        store.insert("spans", spans(3))
        assert store.datasets.add("d", sql="SELECT * FROM spans").rows == 3
        (row, *_) = store.datasets.rows("d")
        assert row["origin"]["project"] == "default"
        with pytest.raises(DatasetError, match=r"metadata: \{'n': n\} AS metadata"):
            store.datasets.add("d", sql="SELECT input, attributes.n AS n FROM spans")
        with pytest.raises(DatasetError, match="no input"):
            store.datasets.add("d", sql="SELECT output AS expected FROM spans")
        with pytest.raises(DatasetError, match="one of the two"):
            store.datasets.add("d")
        assert store.datasets.get("d").version == 1


def test_a_query_sees_the_projects_it_may(tmp_path: Path) -> None:
    with tracestore.open(tmp_path) as store:
        store.insert("spans", spans(3), project="a")
        store.insert("spans", spans(2), project="b")
        report = store.datasets.add("d", sql="SELECT * FROM spans", project="b", projects=["b"])
        assert report.rows == 2


def test_fields_are_changed_one_by_one(tmp_path: Path) -> None:
    with tracestore.open(tmp_path) as store:
        store.datasets.add("d", [{"id": "a", "input": {"q": 1}, "expected": 1, "tags": ["t"]}])
        report = store.datasets.update("d", [{"id": "a", "expected": {"new": [1]}, "tags": None}])
        assert (report.version, report.updated) == (2, 1)
        (row,) = store.datasets.rows("d")
        assert row == {
            "id": "a", "input": {"q": 1}, "expected": {"new": [1]},
            "metadata": None, "tags": None, "origin": None,
        }  # fmt: skip
        with pytest.raises(UnknownDatasetError, match="no such row"):
            store.datasets.update("d", [{"id": "b", "expected": 1}])
        with pytest.raises(DatasetError, match="has no id"):
            store.datasets.update("d", [{"expected": 1}])
        assert [row["expected"] for row in store.datasets.rows("d", 1)] == [1]


def test_a_dataset_that_holds_no_row_yet_is_read_as_no_rows(tmp_path: Path) -> None:
    with tracestore.open(tmp_path) as made:
        assert made.datasets.add("d", []).version == 0
        assert list(made.datasets.rows("d")) == []
        assert made.sql("SELECT id FROM dataset('d')").rows() == []


def test_rows_computed_from_a_dataset_see_its_newest_version(tmp_path: Path) -> None:
    sql = "SELECT id, input + 1 AS input FROM dataset('d')"
    writes = 12
    with tracestore.open(tmp_path) as made:
        made.datasets.add("d", [{"id": "n", "input": 0}])
        threads = [
            threading.Thread(target=made.datasets.add, args=("d",), kwargs={"sql": sql})
            for _ in range(writes)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [row["input"] for row in made.datasets.rows("d")] == [writes]
