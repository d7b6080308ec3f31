"""The repository keeps its own rules."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KERNELS = sorted((ROOT / "tracestore" / "_native").glob("*.pyx"))
PYTHON = sorted(
    path
    for folder in ("tracestore", "ingest", "query", "tests", "bench", "docs")
    for path in (ROOT / folder).rglob("*.py*")
    if path.suffix in {".py", ".pyx", ".pxd"}
)
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def tracked() -> list[Path]:
    """Returns the files that git knows; skips where this is no git checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_kernels_import_nothing_of_tracestore_but_each_other_errors_and_limits() -> None:
    pattern = re.compile(r"^\s*(?:from|import)\s+(tracestore[\w.]*)", re.MULTILINE)
    allowed = ("tracestore.errors", "tracestore.limits", "tracestore._native")
    for path in KERNELS:
        for name in pattern.findall(path.read_text()):
            assert name.startswith(allowed), f"{path.name} imports {name}"


def test_kernels_do_not_import_pyarrow_or_numpy() -> None:
    for path in KERNELS:
        text = path.read_text()
        assert not re.search(r"^\s*(?:from|c?import)\s+(?:pyarrow|numpy)", text, re.MULTILINE), path


def test_directives_stand_in_setup_py_only() -> None:
    for path in KERNELS:
        assert "# cython:" not in path.read_text(), f"{path.name} has directives of its own"


def test_a_native_function_without_result_is_noexcept() -> None:
    pattern = re.compile(r"^\s*cdef\s+(?:inline\s+)?void\s+\w+\([^)]*\)([^:]*):", re.MULTILINE)
    for path in KERNELS:
        for suffix in pattern.findall(path.read_text()):
            assert "noexcept" in suffix or "except" in suffix, path


def test_every_kernel_has_a_stub() -> None:
    for path in KERNELS:
        assert path.with_suffix(".pyi").exists(), f"{path.name} has no .pyi"


def test_no_module_is_called_utils() -> None:
    assert [path for path in PYTHON if path.stem in {"util", "utils", "helpers", "misc"}] == []


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_holds_one_concept(path: Path) -> None:
    stated = re.search(
        r"at most (\d+) lines, a test at most (\d+), a kernel at most (\d+)", CONTRIBUTING
    )
    assert stated
    source, test, kernel = map(int, stated.groups())
    limit = kernel if path.suffix == ".pyx" else test if ROOT / "tests" in path.parents else source
    lines = path.read_text().count("\n")
    assert lines <= limit, f"{path.name} has {lines} lines"


def test_a_room_holds_few_modules() -> None:
    stated = re.search(r"at most (\d+) modules in a folder", CONTRIBUTING)
    assert stated
    for package in ("tracestore", "ingest/tracestore_ingest", "query/tracestore_query"):
        for folder in (ROOT / package, *(ROOT / package).rglob("*/")):
            modules = [path for path in folder.glob("*.py") if path.stem != "__init__"]
            assert len(modules) <= int(stated[1]), f"{folder.name} has {len(modules)} modules"


def test_no_file_names_a_place_on_one_machine() -> None:
    pattern = re.compile(rb"(?<![\w./])/(?:work|home/\w+|Users/\w+)/")
    for path in tracked():
        if path.name not in {"LICENSE", Path(__file__).name}:
            found = pattern.search(path.read_bytes())
            assert found is None, f"{path.name}: {found}"


def test_generated_files_are_not_tracked() -> None:
    names = [path.name for path in tracked()]
    assert [name for name in names if name.endswith((".c", ".so", ".pyc"))] == []


def test_each_layer_of_the_contract_is_a_module_or_marked_optional() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [layered] = [c for c in contracts["contracts"] if c["name"] == "the store is layered"]
    named = {name.strip(" ()") for layer in layered["layers"] for name in re.split(r"[|:]", layer)}
    present = {
        path.stem
        for path in (ROOT / "tracestore").iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists()) and path.stem != "__init__"
    }
    assert present <= named


def test_what_tests_share_is_defined_once() -> None:
    shared = ROOT / "tests" / "data" / "stores.py"
    pattern = re.compile(r"^(?:def )?(\w+)(?:\(| = )", re.MULTILINE)
    names = {"span", "log", "ndjson", "in_state", "STATES"}
    assert names <= set(pattern.findall(shared.read_text()))
    for path in PYTHON:
        if ROOT / "tests" in path.parents and path != shared:
            again = names & set(pattern.findall(path.read_text()))
            assert again == set(), f"{path.name} defines {again}; use data.stores"
