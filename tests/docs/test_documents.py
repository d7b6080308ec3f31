"""The documents tell the truth: links lead somewhere, snippets print what they say."""

from __future__ import annotations

import contextlib
import importlib
import io
import pkgutil
import re
from pathlib import Path

import pytest

import tracestore.cli
import tracestore.client
import tracestore.evals
import tracestore.exports
import tracestore.importing
import tracestore.scorers
import tracestore.server
from tracestore import errors
from tracestore_query import errors as query_errors

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("bench/**/*.md")]
)
IDS = [str(path.relative_to(ROOT)) for path in DOCUMENTS]


def test_the_documents_are_there() -> None:
    for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"):
        assert (ROOT / name).stat().st_size > 0


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_links_lead_to_files(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text()):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_the_readme_snippet_prints_what_the_readme_says() -> None:
    text = (ROOT / "README.md").read_text()
    snippets = re.findall(r"```python\n(.*?)```\s*```text\n(.*?)```", text, re.DOTALL)
    assert snippets
    for code, output in snippets:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "README.md", "exec"), {})
        assert printed.getvalue() == output


# What an application can catch of them is in the guide.
TOLD = [
    errors,
    query_errors,
    tracestore.cli,
    tracestore.client,
    tracestore.evals,
    tracestore.exports,
    tracestore.importing,
    tracestore.scorers,
    tracestore.server,
]


def exceptions_there_are() -> set[type]:
    modules = [*TOLD]
    for package in TOLD:
        found = pkgutil.iter_modules(getattr(package, "__path__", ()), f"{package.__name__}.")
        modules += [importlib.import_module(info.name) for info in found]
    return {
        value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Exception)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    }


def test_the_guide_lists_every_error_type_and_none_that_is_gone() -> None:
    guide = (ROOT / "docs" / "guide" / "errors.md").read_text()
    listed = set()
    for full_name in re.findall(r"^\| `([\w.]+)` \|", guide, re.MULTILINE):
        module, _, name = full_name.rpartition(".")
        homes = [importlib.import_module(module)] if module else [errors, query_errors]
        listed.add(next(vars(home)[name] for home in homes if name in vars(home)))
    assert listed == exceptions_there_are()


def test_make_targets_that_the_documents_name_exist() -> None:
    targets = set(
        re.findall(r"^([a-z-]+)(?: [a-z-]+)*:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )
    phony = re.search(r"^\.PHONY:((?:.*\\\n)*.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    targets |= set(phony.group(1).replace("\\", " ").split())
    for path in DOCUMENTS:
        for name in re.findall(r"(?:`|\$ )make ([a-z-]+)", path.read_text()):
            assert name in targets, f"{path.name} names make {name}"


def test_the_changelog_names_the_version() -> None:
    assert f"## {tracestore.__version__}" in (ROOT / "CHANGELOG.md").read_text()
