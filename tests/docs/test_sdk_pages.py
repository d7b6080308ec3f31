"""The pages on SDKs say what their recordings show: which columns the spans of each type have."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = sorted((ROOT / "docs" / "guide" / "sdks").glob("*.md"))
GOLDEN: Final = json.loads((ROOT / "tests" / "data" / "sdk_columns.json").read_text())
BLOCK: Final = re.compile(r"<!-- recorded: (\S+) -->\n(.*?)<!-- end -->", re.DOTALL)
COLUMNS: Final = ("input", "output", "model", "tokens", "cached", "reasoning", "cost")
HEAD: Final = (
    f"| spans | {' | '.join(f'`{name}`' for name in COLUMNS)} |",
    f"|---|{'---|' * len(COLUMNS)}",
)


def share(rows: list[dict[str, Any]], name: str) -> str:
    """Returns how many of some spans have a column, in a word."""
    count = sum(name in row for row in rows)
    return "yes" if count == len(rows) else "some" if count else "no"


def table(recording: str) -> list[str]:
    """Returns the lines of a page's table: spans that failed are left out, since they have no answer."""
    lines = list(HEAD)
    rows = [row for row in GOLDEN[recording] if row.get("status") != "ERROR" and "error" not in row]
    for kind in sorted({row["type"] for row in rows}):
        of_kind = [row for row in rows if row["type"] == kind]
        shares = " | ".join(share(of_kind, name) for name in COLUMNS)
        lines.append(f"| {kind} | {shares} |")
    return lines


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_pages_tables_are_what_was_recorded(page: Path) -> None:
    blocks = BLOCK.findall(page.read_text())
    assert blocks or page.stem == "README"
    for recording, body in blocks:
        assert body.strip().splitlines() == table(recording), recording


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_pages_programs_can_be_parsed(page: Path) -> None:
    for program in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        compile(program, page.name, "exec")


def test_every_recording_is_on_a_page() -> None:
    named = {name for page in PAGES for name, _ in BLOCK.findall(page.read_text())}
    assert named == {name for name, rows in GOLDEN.items() if rows}
