"""Columns of an answer have the names that their texts give them, never ones of the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

import tracestore

ITEMS = [
    "(SELECT count(*) FROM logs)",
    "1 + (SELECT max(attributes.x) FROM spans)",
    "EXISTS(SELECT 1 FROM spans)",
    "1 IN (SELECT count(*) FROM spans)",
    "(WITH a AS (SELECT count(*) AS n FROM spans) SELECT n FROM a)",
    "[(SELECT min(name) FROM spans)]",
]


@pytest.mark.parametrize("is_flushed", [False, True])
@pytest.mark.parametrize("item", ITEMS)
def test_a_subquery_is_named_by_its_text(tmp_path: Path, item: str, is_flushed: bool) -> None:
    with tracestore.open(tmp_path, background=False) as store:
        store.insert("spans", [{"name": "a", "attributes": {"x": 1}}])
        if is_flushed:
            store.flush()
        for text in (f"SELECT {item}", f"SELECT {item} FROM spans"):
            (name,) = store.sql(text).names
            assert name.lower().replace(" ", "") == item.lower().replace(" ", "")
