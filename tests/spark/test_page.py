"""The page on Spark is a program that prints what it says."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

from spark.answers import QUIET

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "spark.md"

pytestmark = [pytest.mark.filterwarnings(quiet) for quiet in QUIET]


@pytest.mark.usefixtures("spark")
def test_the_page_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    programs = re.findall(r"```python\n(.*?)```\s*```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert programs
    names: dict[str, Any] = {}
    for code, said in programs:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, PAGE.name, "exec"), names)
        assert printed.getvalue() == said
