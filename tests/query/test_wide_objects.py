"""Objects of rows in memory with thousands of keys together are what was sent, patched, moved or beside segments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data.stores import STATES, build, span
from tracestore.limits import MAX_LEAF_COLUMNS
from tracestore_query.plan.wide_rows import is_wide

ROWS = 60
KEYS_OF_ROW = 20


def attributes(number: int) -> dict[str, Any]:
    """Returns keys that no other row has, of several types, beside two that all have."""
    own = {
        f"k{number * KEYS_OF_ROW + i}": [
            i,
            f"text {i}",
            i / 4,
            i % 2 == 0,
            None,
            [i],
            {"x": i},
            {},
        ][i % 8]
        for i in range(KEYS_OF_ROW)
    }
    return {**own, "model": f"m{number % 3}", "list": [{"n": number}, {"n": None}]}


@pytest.mark.parametrize("state", [*STATES, "segment and memtable"])
def test_objects_of_many_keys_are_what_was_sent(tmp_path: Path, state: str) -> None:
    rows = [span(i, attributes=attributes(i), metadata={"m": i}) for i in range(ROWS)]
    held = rows if state in STATES else rows[:20]
    with build(
        tmp_path / "store", state if state in STATES else "one segment", {"spans": held}
    ) as store:
        store.insert("spans", rows[len(held) :])
        chunks = store.snapshot(("spans",)).tables["spans"].memtable
        assert any(map(is_wide, chunks)) == ("memtable" in state)
        assert ROWS * KEYS_OF_ROW > MAX_LEAF_COLUMNS
        late = {"trace_id": rows[-1]["trace_id"], "span_id": rows[-1]["span_id"]}
        store.patch({**late, "metadata": {"late": True}})
        rows[-1] = {**rows[-1], "metadata": {"m": ROWS - 1, "late": True}}
        found = store.sql(
            "SELECT attributes, attributes::VARCHAR AS text, json_keys(attributes) AS keys, metadata::VARCHAR AS m, "
            "attributes.k9 AS own FROM spans ORDER BY start_ns"
        ).rows()
        for row, sent in zip(found, rows, strict=True):
            assert row["attributes"] == sent["attributes"]
            assert json.loads(row["text"]) == sent["attributes"]
            assert sorted(row["keys"]) == sorted(sent["attributes"])
            assert json.loads(row["m"]) == sent["metadata"]
            assert row["own"] == sent["attributes"].get("k9")
        groups = store.sql("SELECT attributes AS a, count(*) AS n FROM spans GROUP BY ALL").rows()
        assert len(groups) == ROWS
        assert store.sql(
            "SELECT count(*) AS n FROM spans s JOIN spans t ON s.attributes = t.attributes"
        ).rows() == [{"n": ROWS}]
