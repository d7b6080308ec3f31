"""Paths whose last names are those of a column: they are paths, in conditions, orders, pages and deletes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import tracestore
from data.stores import START_NS
from tracestore import Store
from tracestore_query import Query, UnknownNameError

DAY_NS = 86_400 * 10**9
DAYS = 3

ALIKE = [
    "SELECT name FROM spans WHERE attributes.{a}.trace_id = 'aa' ORDER BY 1",
    "SELECT name FROM spans WHERE attributes.{a}.trace_id IN ('aa', 'bb') ORDER BY 1",
    "SELECT name FROM spans AS {a} WHERE attributes.{a}.trace_id = 'aa' ORDER BY 1",
    "SELECT name FROM spans AS {a} WHERE {a}.attributes.trace_id = 'aa' ORDER BY 1",
    "SELECT name FROM spans WHERE attributes.{a}.start_time < '2021-01-01' ORDER BY 1",
    "SELECT name FROM spans AS {a} WHERE attributes.{a}.start_ns BETWEEN 98 AND 99 ORDER BY 1",
    "SELECT name FROM spans WHERE attributes.start_ns < 90 ORDER BY 1",
    "SELECT name FROM spans ORDER BY attributes.{a}.start_ns, name LIMIT 2",
    "SELECT name FROM spans AS {a} ORDER BY attributes.{a}.start_ns DESC, name LIMIT 2",
    "SELECT attributes.start_ns AS start_ns, name FROM spans ORDER BY start_ns LIMIT 2",
    "SELECT spans.attributes.start_ns AS start_ns, name FROM spans ORDER BY start_ns LIMIT 2",
    "SELECT attributes.start_time AS start_time, name FROM spans ORDER BY start_time, name LIMIT 2",
    "SELECT x.name FROM spans AS {a} JOIN spans AS x USING (span_id) WHERE {a}.attributes.{a}.start_ns < 99 ORDER BY 1",
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Gives a store with a segment for each of some days, whose paths say other times and traces."""
    folder = tmp_path_factory.mktemp("alike")
    with tracestore.open(folder / "store", background=False) as opened:
        for day in range(DAYS):
            told = {"trace_id": "aa", "start_ns": 100 - day, "start_time": "2020-01-01"}
            rows = [
                {
                    "trace_id": f"{day + 1:032x}",
                    "span_id": f"{day * 2 + i + 1:016x}",
                    "name": f"d{day}-{i}",
                    "start_ns": START_NS + day * DAY_NS + i,
                    "attributes": {"parent": told, "spans": told}
                    | {
                        "trace_id": "aa",
                        "start_ns": 100 - 10 * day - i,
                        "start_time": f"{9 - day}",
                    },
                    "input": "refund please" if i else "no",
                }
                for i in range(2)
            ]
            opened.insert("spans", rows)
            opened.flush()
        yield opened


@pytest.fixture(scope="module")
def plain(store: Store) -> Iterator[Query]:
    query = Query(store, shortcuts=False)
    yield query
    query.close()


@pytest.mark.parametrize("alias", ["spans", "parent"])
@pytest.mark.parametrize("sql", ALIKE)
def test_a_path_is_no_column_of_its_last_name(
    store: Store, plain: Query, sql: str, alias: str
) -> None:
    text = sql.format(a=alias)
    found = store.sql(text).rows()
    assert found
    assert found == plain.sql(text).rows()


def test_pages_follow_a_path(store: Store) -> None:
    sql = "SELECT attributes.start_ns AS start_ns, name FROM spans ORDER BY start_ns LIMIT 2"
    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = store.sql(sql, cursor=cursor)
        names += [row["name"] for row in page.rows()]
        cursor = page.cursor
    assert names == ["d2-1", "d2-0", "d1-1", "d1-0", "d0-1", "d0-0"]


def test_a_delete_finds_what_a_path_says(store: Store) -> None:
    told = store.delete(where="attributes.spans.trace_id = 'aa'", dry_run=True)
    assert told.rows == DAYS * 2


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        (
            "WITH t AS (SELECT * FROM spans) SELECT attributes.{p} AS m FROM t GROUP BY attributes.{p} ORDER BY m",
            DAYS,
        ),
        (
            "SELECT concat(attributes.{p}, '') AS m FROM (SELECT * FROM spans) GROUP BY concat(attributes.{p}, '')",
            DAYS,
        ),
        (
            "SELECT attributes.{p} AS m FROM (SELECT * FROM spans) GROUP BY 1 HAVING attributes.{p} IS NOT NULL",
            DAYS,
        ),
        (
            "SELECT attributes.{p} AS m FROM (SELECT * FROM (SELECT * FROM spans)) GROUP BY 1 ORDER BY attributes.{p}",
            DAYS,
        ),
        (
            "SELECT attributes.{p} AS m, name FROM (SELECT * FROM spans) GROUP BY ROLLUP (attributes.{p}, name)",
            DAYS * 3 + 1,
        ),
    ],
)
@pytest.mark.parametrize("path", ["start_time", "parent.start_ns"])
def test_rows_of_a_subquery_are_grouped_by_a_path(
    store: Store, sql: str, names: int, path: str
) -> None:
    assert len(store.sql(sql.format(p=path)).rows()) == names


def test_words_are_not_sought_where_no_table_has_texts(store: Store) -> None:
    through = "WITH t AS (SELECT * FROM spans) SELECT count(*) AS n FROM t WHERE"
    assert store.sql(f"{through} match(t, 'refund')").rows() == [{"n": DAYS}]
    for sql in (f"{through} search('refund')", "SELECT * FROM traces WHERE search('refund')"):
        with pytest.raises(UnknownNameError, match=r"search\(\) looks through the tables of FROM"):
            store.sql(sql)
