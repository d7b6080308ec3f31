"""Reads files of SQL tests.

    statement error QueryForbiddenError not allowed
    DROP TABLE spans

    query IT rowsort
    SELECT count(*), kind FROM spans GROUP BY kind
    oracle
    SELECT count(*), kind FROM spans GROUP BY kind

A `query` line names a letter for each column (I whole number, R number, T text, B bool, D time, J JSON,
L list) and how rows are compared: `nosort` in order, `rowsort` in any order. What must come follows as SQL
for plain DuckDB after `oracle`, or as rows after `----`, a JSON list each.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LETTERS = "IRTBDJL"


@dataclass(frozen=True, slots=True)
class Record:
    """One test of a file.

    Attributes:
        place: `file:line`.
        error: the error's type and text, where the statement must fail.
    """

    place: str
    sql: str
    types: str = ""
    sort: str = "nosort"
    oracle: str | None = None
    rows: list[list[Any]] | None = None
    error: tuple[str, str] | None = None


def read(path: Path) -> list[Record]:
    """Returns the tests of a file."""
    records: list[Record] = []
    lines = path.read_text().splitlines()
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        if not line or line.startswith("#"):
            at += 1
            continue
        start, block = at, []
        while at < len(lines) and lines[at].strip():
            block.append(lines[at])
            at += 1
        records.append(_record(f"{path.name}:{start + 1}", block))
    return records


def _record(place: str, block: list[str]) -> Record:
    head, *body = block
    words = head.split()
    if words[:2] == ["statement", "error"]:
        return Record(place, "\n".join(body), error=(words[2], " ".join(words[3:])))
    kind, types, sort = words
    assert kind == "query" and set(types) <= set(LETTERS), f"{place}: {head}"
    oracle: str | None = None
    rows: list[list[Any]] | None = None
    if "----" in body:
        cut = body.index("----")
        rows = [json.loads(line) for line in body[cut + 1 :]]
        body = body[:cut]
    if "oracle" in body:
        cut = body.index("oracle")
        oracle = "\n".join(body[cut + 1 :])
        body = body[:cut]
    assert oracle is not None or rows is not None, f"{place}: nothing to compare with"
    return Record(place, "\n".join(body), types, sort, oracle, rows)
