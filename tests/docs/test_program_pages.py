"""A page that is one program prints what it says."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide"
BLOCK = re.compile(r"```python\n(.*?)```(?:\s*```text\n(.*?)```)?", re.DOTALL)


@pytest.mark.parametrize(("page", "least"), [("evals.md", 7), ("feedback.md", 5)])
def test_the_program_prints_what_the_page_says(page: str, least: int) -> None:
    blocks = BLOCK.findall((GUIDE / page).read_text())
    assert len(blocks) >= least
    names: dict[str, Any] = {}
    for code, output in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, page, "exec"), names)
        assert printed.getvalue() == output
