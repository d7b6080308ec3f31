"""The engine is asked for its functions when a query calls one."""

from __future__ import annotations

from pathlib import Path

import tracestore
from tracestore_query.language.allowed_functions import AskedNames


def test_names_are_asked_for_once_and_not_before_one_is_looked_up() -> None:
    asked: list[str] = []

    def ask() -> frozenset[str]:
        asked.append("again")
        return frozenset({"abs", "sum"})

    names = AskedNames(ask)
    assert asked == []
    assert "abs" in names
    assert "drop" not in names
    assert (set(names), len(names), names | {"max"}) == ({"abs", "sum"}, 2, {"abs", "sum", "max"})
    assert asked == ["again"]


def test_a_query_that_calls_nothing_asks_for_no_functions(tmp_path: Path) -> None:
    with tracestore.open(tmp_path, background=False) as store:
        store.insert("spans", [{"name": "one"}])
        assert store.sql("SELECT name FROM spans").rows() == [{"name": "one"}]
        functions = store.query._engine.functions
        assert "_names" not in vars(functions)
        assert store.sql("SELECT upper(name) AS n FROM spans").rows() == [{"n": "ONE"}]
        assert "_names" in vars(functions)
