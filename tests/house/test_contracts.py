"""The import contracts break when somebody breaks them: each is shown a planted violation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINTER = Path(sys.executable).with_name("lint-imports")
pytestmark = pytest.mark.skipif(not LINTER.exists(), reason="import-linter is not installed")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Returns a copy of the Python sources and of pyproject.toml."""
    ignored = shutil.ignore_patterns("*.so", "*.c", "*.pyx", "__pycache__")
    shutil.copytree(ROOT / "tracestore", tmp_path / "tracestore", ignore=ignored)
    for service in ("ingest", "query"):
        package = f"tracestore_{service}"
        shutil.copytree(ROOT / service / package, tmp_path / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", str(LINTER), "--no-cache"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_contracts_are_kept(tree: Path) -> None:
    result = lint(tree)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("tracestore/variant/report.py", "import tracestore.store", "the store is layered"),
        ("tracestore/brand_new.py", "X = 1", "the store is layered"),
        ("tracestore/store/planted.py", "import duckdb", "the store stays light"),
        ("tracestore/variant/planted.py", "import fastapi", "the store stays light"),
        ("tracestore/store/planted.py", "import tracestore._native", "kernels have one caller"),
        ("tracestore_ingest/planted.py", "import tracestore_query", "services sit on the store"),
        ("tracestore/store/planted.py", "import tracestore_query", "services sit on the store"),
        (
            "tracestore_query/planner.py",
            "from tracestore.store.core import Core",
            "the query knows the store by its public names",
        ),
        (
            "tracestore_query/plan/scan.py",
            "import tracestore_query.plan.plan",
            "the room plan is layered",
        ),
        (
            "tracestore_query/engine/planted.py",
            "X = 1",
            "the room engine is layered",
        ),
        (
            "tracestore/store/catalog/packing.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import tracestore.store.catalog.catalog",
            "no cycles",
        ),
    ],
)
def test_a_planted_violation_breaks_its_contract(
    tree: Path, file: str, line: str, contract: str
) -> None:
    path = tree / file
    path.write_text((path.read_text() if path.exists() else '"""Planted."""\n') + f"\n{line}\n")
    result = lint(tree)
    assert result.returncode != 0
    broken = [text for text in result.stdout.splitlines() if "BROKEN" in text]
    assert any(text.startswith(contract) for text in broken), result.stdout
