"""docs/design/query.md prints what each step of a query makes, as it is."""

from __future__ import annotations

from pathlib import Path

from docs.query_walk import PAGE, blocks, walk


def test_the_page_prints_each_value_on_the_way(tmp_path: Path) -> None:
    printed = blocks(PAGE.read_text(encoding="utf-8"))
    made = walk(tmp_path / "store")
    assert list(printed) == list(made)
    for name, text in made.items():
        assert printed[name] == text, f"block {name}; docs/query_walk.py writes the page anew"
