"""The page of threats names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/design/threats.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)


def test_every_fence_has_a_test() -> None:
    rows = [line for line in PAGE.partition("## From a statement")[2].splitlines() if "|" in line]
    fences = [line for line in rows if not line.startswith(("| fence", "|---"))]
    assert len(fences) == len(NAMED) > 20


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_a_named_test_is_there(file: str, test: str) -> None:
    path = ROOT / file
    assert path.is_file()
    assert not test or f"def {test}(" in path.read_text()
