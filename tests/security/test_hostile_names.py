"""Names that data and users choose are values: what is stored under one is found under it, and nothing else.

Each name is tried in each shape: as a project, an experiment, a dataset, a snapshot, a row's id, a key of each
depth and kind, a value, an alias. Every other row lies in a segment, the rest in memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tracestore
from security.conftest import START_NS
from security.hostile import TEXTS
from tracestore import Store
from tracestore.errors import TraceStoreError

NAMES = (
    *TEXTS,
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\windows",
    "~",
    "con",
    "a/b",
    "a\\b",
    ".hidden",
    "-rf",
    "$(id)",
    "`id`",
    "${HOME}",
    "%00",
    "%2e%2e%2f",
    "{}",
    "[0]",
    "a[0]",
    "a.b",
    '"a"."b"',
    "'a'",
    "attributes.a:str",
    "_overflow",
    "__row",
    "row_number",
    "NULL",
    "null",
    "true",
    "select",
    "SELECT",
    "spans",
    "1",
    "-1",
    "1e999",
    "NaN",
    " ",
    "\t",
    " x ",
    "e\u0301",
    "\u00e9",
    "\ufb01",
    "x" * 1000,
)
MARKED = {name: number for number, name in enumerate(dict.fromkeys(NAMES))}


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def spans_of(name: str) -> list[dict[str, Any]]:
    """Returns rows that hold a name in every place where data may hold one."""
    number = MARKED[name]
    return [
        {
            "trace_id": f"{number + 1:032x}",
            "span_id": f"{number + 1:016x}",
            "start_ns": START_NS + number,
            "name": f"span {number}",
            "experiment": name,
            "service": name,
            "attributes": {name: number},
            "resource": {name: {"in": number}},
            "input": {"a": {name: {"b": number}}, "items": [{name: number}]},
            "scores": {name: number},
            "metadata": {"said": name},
        }
    ]


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """A store, and the names that it took for each purpose; the others were refused with a typed error."""

    store: Store
    taken: dict[str, set[str]]


def _takes(work: Callable[[], object]) -> bool:
    try:
        work()
    except TraceStoreError:
        return False
    return True


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    folder = tmp_path_factory.mktemp("names") / "store"
    taken: dict[str, set[str]] = {"spans": set(), "projects": set(), "datasets": set()}
    with tracestore.open(folder, background=False) as store:
        purposes: dict[str, Callable[[str], object]] = {
            "spans": lambda name: store.insert("spans", spans_of(name), project="shop"),
            "projects": lambda name: store.insert(
                "spans", [{"name": "of a project", "metadata": {"n": MARKED[name]}}], project=name
            ),
            "datasets": lambda name: _dataset(store, name),
        }
        for turn in (0, 1):
            for name, number in MARKED.items():
                if number % 2 == turn:
                    for purpose, work in purposes.items():
                        if _takes(lambda work=work, name=name: work(name)):  # type: ignore[misc]
                            taken[purpose].add(name)
            if turn == 0:
                store.flush()
        yield Stored(store, taken)


def _dataset(store: Store, name: str) -> None:
    store.datasets.add(name, [{"id": name, "input": MARKED[name]}], project="shop")
    store.datasets.snapshot(name, name, project="shop")


SHAPES: dict[str, tuple[str, Callable[[str], str]]] = {
    "project": (
        "projects",
        lambda n: (
            f"SELECT metadata.n FROM spans WHERE project = {literal(n)} AND name = 'of a project'"
        ),
    ),
    "project_logs": (
        "projects",
        lambda n: f"SELECT metadata.n FROM project_logs({literal(n)}) WHERE metadata.n IS NOT NULL",
    ),
    "experiment": (
        "spans",
        lambda n: f"SELECT attributes[{literal(n)}] FROM experiment({literal(n)})",
    ),
    "dataset": ("datasets", lambda n: f"SELECT input FROM dataset({literal(n)})"),
    "snapshot": ("datasets", lambda n: f"SELECT input FROM dataset({literal(n)}, {literal(n)})"),
    "row id": (
        "datasets",
        lambda n: f"SELECT input FROM dataset({literal(n)}) WHERE id = {literal(n)}",
    ),
    "key": (
        "spans",
        lambda n: (
            f"SELECT attributes[{literal(n)}] FROM spans WHERE attributes[{literal(n)}] IS NOT NULL"
        ),
    ),
    "quoted key": (
        "spans",
        lambda n: f"SELECT scores.{quoted(n)} FROM spans WHERE scores.{quoted(n)} IS NOT NULL",
    ),
    "key of a key": (
        "spans",
        lambda n: (
            f"SELECT resource[{literal(n)}]['in'] FROM spans WHERE resource[{literal(n)}]['in'] IS NOT NULL"
        ),
    ),
    "key between": (
        "spans",
        lambda n: (
            f"SELECT input.a[{literal(n)}].b FROM spans WHERE input.a[{literal(n)}].b IS NOT NULL"
        ),
    ),
    "key in a list": (
        "spans",
        lambda n: (
            f"SELECT input.items[0][{literal(n)}] FROM spans WHERE input.items[0][{literal(n)}] IS NOT NULL"
        ),
    ),
    "value": (
        "spans",
        lambda n: f"SELECT attributes[{literal(n)}] FROM spans WHERE service = {literal(n)}",
    ),
    "alias": (
        "spans",
        lambda n: (
            f"SELECT scores[{literal(n)}] AS {quoted(n)} FROM spans WHERE metadata.said = {literal(n)}"
        ),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_stored_under_a_name_is_found_under_it(shape: str, stored: Stored) -> None:
    purpose, statement = SHAPES[shape]
    wrong = []
    for name, number in MARKED.items():
        if name not in stored.taken[purpose]:
            continue
        try:
            found = [list(row.values()) for row in stored.store.sql(statement(name)).rows()]
        except TraceStoreError as error:
            # As an identifier it is refused; in brackets the same name is a key.
            if not (name.startswith("__") and "reserved" in str(error)):
                wrong.append((name, str(error)))
            continue
        if [[int(value) for value in row] for row in found] != [[number]]:
            wrong.append((name, str(found)))
    assert not wrong, wrong[:5]


def test_most_names_are_taken(stored: Stored) -> None:
    assert len(MARKED) >= 86
    for purpose, names in stored.taken.items():
        assert len(names) >= len(MARKED) - 8, (purpose, set(MARKED) - names)


def test_names_of_files_stay_in_the_folder(stored: Stored) -> None:
    folder = stored.store.folder
    assert {path.name for path in folder.parent.iterdir()} == {folder.name}
