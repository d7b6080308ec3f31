"""The page on conventions lists the payloads' attributes as the table has them, and its queries run."""

from __future__ import annotations

import re
from pathlib import Path

import tracestore
from tracestore.variant.conventions import AGGREGATING, METADATA, METRICS, MOVED, TYPES, USAGE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "conventions.md"
TEXT = PAGE.read_text()


def test_the_table_of_payloads_is_the_programs() -> None:
    between = TEXT.split("<!-- moved: begin -->")[1].split("<!-- moved: end -->")[0]
    rows = [
        f"| `{column}` | {', '.join(f'`{name}`' for name in names)} |"
        for column, names in MOVED.items()
    ]
    assert between.strip().splitlines()[2:] == rows


def test_every_column_and_type_is_named() -> None:
    for name in (*USAGE, *METRICS, *METADATA):
        assert f"`{name}`" in TEXT, name
    for word in {word for words in TYPES.values() for word in words.values()} | set(AGGREGATING):
        assert re.search(rf"\b{word}\b", TEXT), word


def test_the_queries_run(tmp_path: Path) -> None:
    queries = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)
    assert len(queries) == 3
    with tracestore.open(tmp_path / "store") as store:
        store.insert("spans", [{"name": "x", "type": "llm", "input": [{"role": "system"}]}])
        for sql in queries:
            store.sql(sql, {"id": "0" * 31 + "1"} if "$id" in sql else None).rows()
