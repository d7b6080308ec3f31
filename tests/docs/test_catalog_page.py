"""docs/format/catalog.md describes the catalog that the code makes: its version, its tables, their columns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from tracestore.store.catalog.schema.migrations import MIGRATIONS
from tracestore.store.catalog.schema.tables import META, METADATA
from tracestore.store.catalog.schema.versions import VERSION

PAGE = (Path(__file__).parents[2] / "docs" / "format" / "catalog.md").read_text(encoding="utf-8")
TABLES = [table for table in METADATA.sorted_tables if table is not META]


def test_the_page_is_of_the_codes_version() -> None:
    assert PAGE.startswith(f"# Catalog, schema version {VERSION}\n")
    assert f"| `schema_version` | {VERSION};" in PAGE
    assert set(MIGRATIONS) == set(range(1, VERSION))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_is_described_with_every_column(table: sa.Table) -> None:
    [section] = [
        part for part in PAGE.split("\n## ") if table.name in part.splitlines()[0].split(", ")
    ]
    words = set(re.findall(r"\w+", section))
    assert {column.name for column in table.columns} - words == set()
