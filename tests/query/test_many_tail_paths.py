"""Hundreds of paths of a tail in one query: each row has its own values, and the engine plans them in time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data.stores import build, span

PATHS = 200
ROWS = 24


def attributes(number: int) -> dict[str, Any]:
    """Returns every third path of a row, of two types."""
    return {
        f"k{path}": path if (path + number) % 2 else f"{number}-{path}"
        for path in range(number % 3, PATHS, 3)
    }


def test_many_paths_of_a_tail_are_read_together(tmp_path: Path) -> None:
    rows = [span(i, attributes=attributes(i)) for i in range(ROWS)]
    items = ", ".join(f"attributes.k{path}" for path in range(PATHS))
    with build(tmp_path / "store", "one segment", {"spans": rows}) as store:
        result = store.sql(f"SELECT {items} FROM spans WHERE name <> '' ORDER BY start_ns")
        found = result.rows()
    want = [[row["attributes"].get(f"k{path}") for path in range(PATHS)] for row in rows]
    assert [list(row.values()) for row in found] == want
