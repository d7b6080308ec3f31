"""The page on Iceberg is true: its programs run on a published store, its command and settings are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import tracestore
from tracestore.iceberg.publishing import publish

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "lakehouse.md"


def test_its_programs_read_what_was_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else polars warns where its own planner is not installed.
    monkeypatch.setenv("POLARS_ICEBERG_PLANNER", "pyiceberg")
    rows = [
        {
            "name": f"pay-{number}",
            "service": "checkout",
            "duration_ns": 5,
            "attributes": {"user": {"tier": "pro" if number % 3 else "free"}},
        }
        for number in range(60)
    ]
    with tracestore.open(tmp_path, background=False) as store:
        store.insert("spans", rows, project="shop")
        publish(store)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block.replace("/DIR", str(tmp_path)), PAGE.name, "exec"), names)
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith("60 [")
    assert others == ["[('pro', 40), ('free', 20)]"] * 2
