"""Class docstrings are noun phrases ("The resources of one query."), function docstrings begin with verbs."""

from __future__ import annotations

from pathlib import Path

import pytest

from house.docstrings import CLASSES, FUNCTIONS, begins_with_a_verb, docstrings, first_words

ROOT = Path(__file__).resolve().parents[2]
SOURCE = sorted(
    path
    for folder in ("tracestore", "ingest", "query", "bench")
    for path in (ROOT / folder).rglob("*.py")
)
TESTS = sorted((ROOT / "tests").rglob("*.py"))
# A word that begins a function's docstring is a verb, and begins no class's.
VERBS = frozenset(
    first_words(text)[0] for path in SOURCE for _, text in docstrings(path, FUNCTIONS)
)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*SOURCE, *TESTS], ids=name_of)
def test_a_class_is_described_by_a_noun_phrase(path: Path) -> None:
    for name, text in docstrings(path, CLASSES):
        assert not begins_with_a_verb(text, VERBS), f"{name_of(path)}, {name}: {text[:60]}"


@pytest.mark.parametrize("path", SOURCE, ids=name_of)
def test_a_function_is_described_by_what_it_does(path: Path) -> None:
    for name, text in docstrings(path, FUNCTIONS):
        first = first_words(text)[0]
        assert first.endswith("s"), f"{name_of(path)}, {name}: {text[:60]}"


@pytest.mark.parametrize(
    "text",
    [
        "Is a query's answer.",
        "(plural) Is what a query holds.",
        "Has two halves.",
        "Does what it is told.",
        "Goes on where it was cut.",
        "Gives rows.",
        "Holds the keys of one catalog.",
        "Keeps segment files by place.",
        "Makes spans and stores them.",
        "Reads rows.",
        "Reads from a socket.",
        "Writes Parquet; batches are gathered.",
        "Says that a file is damaged.",
        "Talks to a server.",
        "Finds and keeps rows.",
        "Caches (path ids, rows) by segment.",
        "Knows which rows were sent.",
        "`Counts` bytes in flight.",
    ],
)
def test_a_verb_is_told_from_a_noun(text: str) -> None:
    assert begins_with_a_verb(text, frozenset({"reads"}))


@pytest.mark.parametrize(
    "text",
    [
        "The resources of one running query.",
        "An open store. Thread-safe.",
        "One measured number.",
        "Limits of an answer: rows and bytes.",
        "Reads of one segment, counted.",
        "Rows that a query reads.",
        "Settings (all of them) of a store.",
        "Access to one store over HTTP.",
        "Status of a request.",
        "This request's key.",
        "Base class of all errors.",
        "Open Parquet file of a segment.",
    ],
)
def test_a_noun_phrase_is_let_pass(text: str) -> None:
    assert not begins_with_a_verb(text, frozenset({"reads", "limits"}))
