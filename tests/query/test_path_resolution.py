"""What a path names is found without listing what lies beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tracestore
from tracestore_query.bind.path_resolution import resolve
from tracestore_query.language.path_syntax import Step


class Wide:
    """Data with one object of very many keys, which counts how many names are listed."""

    def __init__(self) -> None:
        self.listed: list[str] = []

    def types(self, path: str) -> Sequence[str]:
        return ("i64",) if path.startswith("attributes.wide.") else ()

    def below(self, path: str) -> Sequence[str]:
        self.listed.append(path)
        return ("attributes.wide.a",) if path in {"attributes", "attributes.wide"} else ()

    def has_below(self, path: str) -> bool:
        return path in {"attributes", "attributes.wide"}


def test_a_path_lists_no_names_beside_it() -> None:
    data = Wide()
    steps = [Step("attributes"), Step("wide"), Step("a")]
    assert resolve(steps, data).leaves == (("attributes.wide.a", "i64"),)
    assert "attributes" not in data.listed
    assert "attributes.wide" not in data.listed


def test_a_lookup_has_below_what_it_lists_below(tmp_path: Path) -> None:
    rows = [
        {"attributes": {"a": {"b": 1}, "a/b": 2, "a.c": 3, "d": {}}},
        {"attributes": {"e": [1]}},
    ]
    with tracestore.open(tmp_path / "data") as store:
        store.insert("spans", rows)
        for _ in range(2):
            with store.snapshot() as snapshot:
                leaves = snapshot.tables["spans"].leaves
                for path in ("attributes", "attributes.a", "attributes.d", "attributes.e", "x"):
                    assert leaves.has_below(path) == bool(leaves.below(path)), path
                assert leaves.below("attributes.a") == ["attributes.a.b"]
            store.flush()
