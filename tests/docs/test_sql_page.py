"""docs/guide/sql.md: its table of types is run, on rows in memory and on rows in a segment."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import tracestore
from tracestore_query.tables.catalog import CATALOG
from tracestore_query.tables.functions import FUNCTIONS
from tracestore_query.tables.names import NAMED
from tracestore_query.tables.views import VIEWS

PAGE = (Path(__file__).parents[2] / "docs" / "guide" / "sql.md").read_text(encoding="utf-8")
TABLE = PAGE.split("## Types")[1].split("\n## ")[0]
# What the view `experiments` is made of.
INNER = {"experiment_records"}
ROWS = [
    (values, expression, answer)
    for values, expression, answer in re.findall(
        r"^\| (`.*) \| `([^|]*)` \| `(.*)` \|$", TABLE, re.MULTILINE
    )
]


def test_everything_that_can_stand_in_from_is_on_the_page() -> None:
    tables, functions = PAGE.split("## Tables")[1].split("\n## ")[0].split("In FROM also:")
    named = {name.replace(".", "_") for name in re.findall(r"`([\w.]+)`", tables)}
    assert {*NAMED, *VIEWS, *CATALOG} - named == INNER
    assert set(re.findall(r"^\| `(\w+)\(", functions, re.MULTILINE)) == FUNCTIONS.keys()


def insert_rows(values: str) -> list[dict[str, Any]]:
    rows = []
    for number, text in enumerate(re.findall(r"`([^`]*)`", values)):
        attributes = {} if text == "-" else {"x": json.loads(text)}
        rows.append({"name": "row", "start_ns": number + 1, "attributes": attributes})
    return rows


def test_the_table_is_found() -> None:
    assert len(ROWS) >= 20


@pytest.mark.parametrize("flushed", [False, True], ids=["memory", "segment"])
@pytest.mark.parametrize(
    ("values", "expression", "answer"), ROWS, ids=[f"{row[0]} {row[1]}" for row in ROWS]
)
def test_a_line_of_the_type_table(
    tmp_path: Path, values: str, expression: str, answer: str, *, flushed: bool
) -> None:
    path = re.sub(r"\bx\b(?!')", "attributes.x", expression)
    with tracestore.open(tmp_path / "store", background=False) as store:
        report = store.insert("spans", insert_rows(values))
        assert report.rejected_rows == 0
        if flushed:
            store.flush()
        rows = store.sql(f"SELECT {path} AS answer FROM spans ORDER BY start_ns").rows()
    found = [row["answer"] for row in rows]
    expected = json.loads(answer)
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]
