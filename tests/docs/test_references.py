"""What one file says of another is true: files, functions and classes that a text names exist."""

from __future__ import annotations

import ast
import functools
import itertools
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DESIGN_PAGES = [ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs" / "design").glob("*.md"))]
TEXT_SUFFIXES = {".md", ".py", ".pyx", ".pxd", ".pyi", ".toml", ".sh", ".test", ".js", ".ts", ""}
ROOMS = "tracestore|ingest|query|tests|docs|bench|clients|ui"
SOURCES = ("tracestore", "ingest", "query")
# A path from the repository's root, as texts write it; `*` stands for any part of a name.
PATH = re.compile(rf"(?<![\w/.:<-])(?:{ROOMS})/[\w./*-]*\.(?:py|pyx|pxd|pyi|md|test|sh|json)\b")
# A document that is not part of the repository.
ABSENT_DOCUMENT = re.compile(r"\bDESIGN\b")
# This file and the one that plants violations name files that are not there on purpose.
PLANTING = {Path(__file__), ROOT / "tests" / "house" / "test_contracts.py"}


@functools.cache
def tracked() -> list[Path]:
    """Returns the files that git knows, or all that are there where this is no git checkout."""
    if not (ROOT / ".git").exists():
        return [path for path in ROOT.rglob("*") if path.is_file() and "build" not in path.parts]
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def exists(reference: str) -> bool:
    """Returns whether a path, from the root or from any room, names a file or a folder."""
    pattern = reference.rstrip("/").replace("*", "[^/]*").replace(".", r"\.")
    suffix = re.compile(rf"(?:^|/){pattern}(?:$|/)")
    return any(suffix.search(str(path.relative_to(ROOT))) for path in tracked())


@functools.cache
def defined_names() -> frozenset[str]:
    """Returns the names of modules, folders, functions, classes, fields and constants of the source."""
    names: set[str] = set()
    for path in tracked():
        parts = path.relative_to(ROOT).parts
        if path.suffix not in {".py", ".pyx", ".pxd"} or parts[0] in {"docs", "clients"}:
            continue
        names.update((path.stem, *parts[:-1]))
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    names.add(node.name)
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    names.add(node.id)
                elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                    names.add(node.attr)
        else:
            names.update(
                re.findall(r"^\s*(?:cdef|cpdef|def|class)\b.*?(\w+)\s*[(:]", text, re.MULTILINE)
            )
    return frozenset(names)


@functools.cache
def documented_words() -> frozenset[str]:
    """Returns what the pages of the format and the guide put in code font, and the packages in use."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = itertools.chain(project["dependencies"], *project["optional-dependencies"].values())
    words = {re.split(r"[\[<>=]", line)[0] for line in lines} | {"grpc", "opentelemetry"}
    for path in [*(ROOT / "docs" / "format").glob("*.md"), *(ROOT / "docs" / "guide").glob("*.md")]:
        words.update(re.findall(r"`([^`\n]+)`", path.read_text(encoding="utf-8")))
    return frozenset(words)


def unknown(token: str, *, plain_words: bool) -> str | None:
    """Returns what a piece of text in code font names that does not exist, or None."""
    name = token.removesuffix("()")
    if re.fullmatch(r"[\w*-]*[\w*./-]*(?:/|\.(?:py|pyx|pxd|pyi|md|test|sh|toml))[\w*./-]*", name):
        return None if exists(name) else token
    if not re.fullmatch(r"[A-Za-z_][\w.]*\w", name) or name in documented_words():
        return None
    last = name.rsplit(".", 1)[-1]
    of_code = token.endswith("()") or "_" in last.strip("_") or last != last.lower()
    if (of_code or plain_words) and last not in defined_names():
        return token
    return None


@pytest.mark.parametrize("page", DESIGN_PAGES, ids=lambda path: path.name)
def test_what_a_page_on_the_design_names_exists(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    tokens = re.findall(r"`([^`\n]+)`", text)
    assert tokens
    plain_words = page.name == "ARCHITECTURE.md"
    missing = [token for token in tokens if unknown(token, plain_words=plain_words)]
    assert missing == []


def test_every_room_stands_in_the_architecture() -> None:
    rooms = {
        path.parent.relative_to(ROOT)
        for path in tracked()
        if path.name == "__init__.py" and path.relative_to(ROOT).parts[0] in SOURCES
    }
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert [
        str(room)
        for room in sorted(rooms)
        if f"{room.name}/" not in text and f"/{room.name}`" not in text
    ] == []


def test_a_name_that_does_not_exist_is_found() -> None:
    for token in ("tracestore/store/nothing.py", "wal/nothing.py", "no_such_function()", "NoClass"):
        assert unknown(token, plain_words=False) == token
    assert unknown("nosuchmodule", plain_words=True) == "nosuchmodule"
    for token in ("store/wal/log.py", "tests/store/", "Memtable", "unshred()", "tests/golden/v*/"):
        assert unknown(token, plain_words=True) is None


@pytest.mark.parametrize("top", sorted({path.relative_to(ROOT).parts[0] for path in tracked()}))
def test_files_that_texts_name_exist(top: str) -> None:
    dead = [
        f"{path.relative_to(ROOT)}: {reference}"
        for path in tracked()
        if path.relative_to(ROOT).parts[0] == top
        and path.suffix in TEXT_SUFFIXES
        and path not in PLANTING
        for reference in PATH.findall(path.read_text(encoding="utf-8", errors="ignore"))
        if not exists(reference)
    ]
    assert dead == []


def test_no_text_cites_a_document_that_is_not_here() -> None:
    citing = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.suffix in TEXT_SUFFIXES
        and path not in PLANTING
        and path.name != "LICENSE"
        and ABSENT_DOCUMENT.search(path.read_text(encoding="utf-8", errors="ignore"))
    ]
    assert citing == []
