"""What the text of a query tells of the paths that it reads: with no others at hand, answers are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from data.stores import build
from sql import sql_rows, sqllogic
from tracestore.embedded import Store
from tracestore.errors import TraceStoreError
from tracestore.store import Core
from tracestore.store.following import FollowMethods
from tracestore.store.memory.memtable import MemoryMark
from tracestore.store.memory.mirror import MemoryState, MirroredMemtable
from tracestore.store.memory.need import Need, columns_of
from tracestore.store.read import snapshot
from tracestore_query.language import dialect
from tracestore_query.plan.read_paths import read_paths

FILES = sorted((Path(__file__).parents[1] / "sql").glob("*.test"))
STATEMENTS = [record.sql for path in FILES for record in sqllogic.read(path)]


@pytest.fixture
def narrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], Store]]:
    """Gives a store whose rows in memory have the columns alone that are asked for, as those of other nodes; or all."""
    rows = {"spans": sql_rows.spans(), "logs": sql_rows.logs()}
    store = build(tmp_path / "store", "memtable", rows)
    is_narrow = False
    taken = snapshot._View.__init__

    def taken_narrowly(
        view: snapshot._View,
        core: Core,
        need: Need,
        tables: Sequence[str],
        _paths: object,
        current: snapshot.Current,
    ) -> None:
        taken(view, core, need, tables, None, current)
        view.memory = {
            table: [_narrowed(mark, need) for mark in marks] for table, marks in view.memory.items()
        }

    monkeypatch.setattr(snapshot._View, "__init__", taken_narrowly)
    monkeypatch.setattr(FollowMethods, "may_have_peers", property(lambda _: is_narrow))

    def chosen(wanted: bool) -> Store:
        nonlocal is_narrow
        is_narrow = wanted
        return store

    yield chosen
    store.close()


def _narrowed(mark: MemoryMark, need: Need) -> MemoryMark:
    memtable = mark.memtable
    chunks = [
        chunk.select(columns_of(chunk.column_names, memtable.table, need.paths))
        for chunk in mark.read()
    ]
    counts = memtable.leaf_counts()
    values = pa.array(counts.values(), pa.int64()).to_numpy()
    state = MemoryState(
        0, memtable.table, memtable.project, mark.visible, (), tuple(counts), values
    )
    return MirroredMemtable(state, chunks).mark()


def _answer(store: Store, sql: str) -> object:
    try:
        return sorted(map(repr, store.sql(sql).rows()))
    except TraceStoreError as error:
        return type(error)


def test_answers_are_the_same_with_the_columns_alone_that_a_text_tells(
    narrow: Callable[[bool], Store],
) -> None:
    for sql in STATEMENTS[::3]:
        assert _answer(narrow(True), sql) == _answer(narrow(False), sql), sql


@pytest.mark.parametrize(
    ("sql", "paths"),
    [
        ("SELECT count(*) FROM spans", set()),
        ("SELECT name, duration_ns FROM spans ORDER BY start_time LIMIT 3", set()),
        ("SELECT s.attributes.a.b FROM spans s", {"attributes.a.b"}),
        ("SELECT ATTRIBUTES['x.y'].z FROM spans", {"attributes.x.y.z"}),
        ("SELECT input.messages[0].role FROM spans", {"input.messages"}),
        ("SELECT attributes.llm.token_count FROM spans", {"attributes.llm.token_count"}),
        ("SELECT attributes.gen_ai.prompt FROM spans", {"attributes.gen_ai.prompt", "input"}),
        ("SELECT json_keys(output) FROM spans", {"output"}),
        ("SELECT sum(scores.good) FROM spans WHERE metadata.a IS NULL", {"scores", "metadata"}),
        ("WITH t AS (SELECT input.x AS v FROM spans) SELECT v FROM t", {"input.x"}),
        ("SELECT * FROM spans", None),
        ("SELECT COLUMNS('i.*') FROM spans", None),
        ("SELECT * EXCLUDE (input) FROM spans", None),
        ("SELECT name FROM experiment('e')", None),
    ],
)  # fmt: skip
def test_paths_of_a_text(sql: str, paths: set[str] | None) -> None:
    assert read_paths(dialect.parse(sql)) == paths
