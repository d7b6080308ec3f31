"""Pages of drawn queries: in every state, and while the store changes, they are the rows of the query, each once.

TRACESTORE_PAGE_QUERIES=20000 draws that many; the default is quick enough for every run. What is refused is refused
before the first page, and the reasons are counted in the file that TRACESTORE_PAGE_REFUSALS names.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from data import stores
from data.stores import START_NS, STATES
from query import page_queries
from query.page_queries import Drawer, Drawn
from tracestore import Store
from tracestore.errors import QueryError
from tracestore_query import QueryCursorError

QUERIES = int(os.environ.get("TRACESTORE_PAGE_QUERIES", "120"))
REFUSALS = os.environ.get("TRACESTORE_PAGE_REFUSALS")
SEED = int(os.environ.get("TRACESTORE_PAGE_SEED", "5"))
PARTS = max(4, QUERIES // 1000)
PAGES = 4
"""Pages that most queries are cut into at most, since each of them asks the whole query."""
PROJECTS = ("p", "q")
MAX_PAGES = 400


@dataclass
class Churn:
    """Changes of a store between pages that no answer shows: rows of another project, moved to files and merged."""

    store: Store
    draw: random.Random
    number: int = 0

    def __call__(self) -> None:
        """Makes the next change."""
        self.number += 1
        other = stores.span(100_000 + self.number, project="elsewhere")
        self.store.insert("spans", [other])
        step = self.draw.random()
        if step < 0.3:
            self.store.flush()
        elif step < 0.4:
            self.store.compact(full=True)


@pytest.fixture(params=STATES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    rows = {"spans": page_queries.spans(), "logs": page_queries.logs()}
    opened = stores.build(tmp_path / "store", request.param, rows)
    yield opened
    opened.close()


def pages(
    store: Store, sql: str, size: int | None, between: Callable[[], object] = lambda: None
) -> list[list[dict[str, Any]]]:
    """Returns the pages of a query, of that many rows each."""
    found: list[list[dict[str, Any]]] = []
    cursor: str | None = ""
    bounded = sql if size is None else f"{sql} LIMIT {size}"
    while cursor is not None:
        if found:
            between()
        with store.sql(bounded, projects=PROJECTS, cursor=cursor) as result:
            found.append(result.rows())
        assert size is None or len(found[-1]) <= size
        cursor = result.cursor
        assert len(found) < MAX_PAGES, sql
    return found


def texts(rows: list[dict[str, Any]]) -> list[str]:
    """Returns each row's values as a text; keys of objects have no order, sums a last digit that counts for nothing."""
    return [json.dumps(rounded([*row.values()]), sort_keys=True, default=str) for row in rows]


def rounded(value: Any) -> Any:
    """Returns a value with its doubles as texts of some digits."""
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{float(value):.9g}" if is_number and abs(value) < 2**53 else value


def joined(found: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Returns the rows of all pages, in their order."""
    return [row for page in found for row in page]


def check(store: Store, drawn: Drawn, size: int, between: Callable[[], object]) -> None:
    """Compares pages with one page of everything, and that with the answer that is not in pages."""
    try:
        plain = store.sql(drawn.sql, projects=PROJECTS).rows()
    except QueryError as error:
        if isinstance(error, QueryCursorError):
            raise
        return  # the language does not take it, in pages or not
    whole = joined(pages(store, drawn.sql, None))
    size = max(size, -(-len(whole) // PAGES)) if size > 1 else size
    found = pages(store, drawn.sql, size, between)
    assert texts(joined(found)) == texts(whole), drawn.sql
    assert all(len(page) == size for page in found[:-1]), drawn.sql
    assert len(plain) == len(whole), drawn.sql
    if not drawn.is_free:
        assert Counter(texts(plain)) == Counter(texts(whole)), drawn.sql


@pytest.mark.parametrize("part", range(PARTS))
def test_pages_of_any_query_are_its_rows_each_once(
    part: int, store: Store, request: pytest.FixtureRequest
) -> None:
    state = request.node.callspec.params["store"]
    drawer = Drawer(SEED * 1000 + part * 10 + STATES.index(state))
    draw = random.Random(part)
    refused: Counter[str] = Counter()
    for _ in range(QUERIES // (PARTS * len(STATES))):
        drawn, size = drawer.query(), draw.choice((1, 2, 3, 5, 7, 11, 50))
        if size == 1 and draw.random() < 0.9:
            size = 9
        churn: Callable[[], object] = lambda: None  # noqa: E731 - a choice of two
        if draw.random() < 0.2:
            churn = Churn(store, draw)
        try:
            check(store, drawn, size, churn)
        except QueryCursorError as error:
            refused[str(error)] += 1
    if REFUSALS:
        with Path(REFUSALS).open("a") as file:
            counts = ({"reason": reason, "count": count} for reason, count in refused.items())
            file.writelines(json.dumps(each) + "\n" for each in counts)
    assert sum(refused.values()) <= max(QUERIES // (PARTS * len(STATES)) // 3, 5)


@pytest.mark.parametrize("seed", range(2))
def test_rows_that_stay_are_in_one_page_while_others_come_and_change(
    seed: int, tmp_path: Path
) -> None:
    drawer, draw = Drawer(seed + 100), random.Random(seed)
    rows = {"spans": page_queries.spans(), "logs": page_queries.logs()}
    with stores.build(tmp_path / "store", "many segments", rows) as store:
        number = 0

        def change() -> None:
            nonlocal number
            number += 1
            new = stores.span(
                1000 + number, project="p", start_ns=START_NS + draw.randint(0, 6) * 10**9
            )
            store.insert("spans", [new])
            ids = {"trace_id": f"{1:032x}", "span_id": f"{2:016x}"}
            store.patch({**ids, "metadata": {"late": number}}, project="p")
            if draw.random() < 0.3:
                store.flush()

        for _ in range(max(QUERIES // 40, 3)):
            drawn = drawer.query()
            if not drawn.by_rows or "(SELECT" in drawn.sql:
                continue
            sql = drawn.sql.replace("SELECT ", "SELECT span_id AS id, ", 1)
            # Positions count from the first item.
            if any(part.strip()[:1].isdigit() for part in sql.split("ORDER BY ")[-1].split(",")):
                continue
            if "metadata," in sql or "metadata " in sql:
                # The patched row's key moves.
                continue
            before = {row["id"] for row in store.sql(sql, projects=PROJECTS).rows()}
            ids = [row["id"] for row in joined(pages(store, sql, 7, change))]
            assert len(ids) == len(set(ids)), sql
            assert before <= set(ids), sql
