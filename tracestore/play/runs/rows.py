"""The rows of a play, wherever they come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tracestore.errors import PlayError
from tracestore.play.own_queries import OwnQueries
from tracestore.play.runs.body import (
    DatasetRows,
    PlayBody,
    QueryRows,
    SpanRow,
    TypedRows,
    digest,
    in_order,
)

_SPAN = """
    SELECT trace_id, span_id, input, expected, metadata, tags FROM spans
    WHERE trace_id = $trace_id AND span_id = $span_id LIMIT 1"""

_VERSION = """
    SELECT max(version) AS version FROM dataset_versions WHERE name = $name AND project = $project"""

_DATASET = """
    SELECT id, input, expected, metadata, tags, origin FROM dataset('{name}', {version}, '{project}')
    ORDER BY created_ns"""


@dataclass(frozen=True, slots=True)
class PlayRow:
    """One row that columns are tried on."""

    row_id: str
    input: Any
    expected: Any = None
    metadata: Any = None
    tags: Any = None
    origin: Any = None

    @property
    def key(self) -> str:
        """Returns what tells its content from others."""
        return digest([self.input, self.expected, self.metadata])

    def shown(self) -> dict[str, Any]:
        """Returns it as the API gives it."""
        return {
            "id": self.row_id,
            "input": self.input,
            "expected": self.expected,
            "metadata": self.metadata,
            "tags": self.tags,
            "origin": self.origin,
        }


@dataclass(frozen=True, slots=True)
class FoundRows:
    """The rows of a play as they are now.

    Attributes:
        is_cut: whether there are more than its limit.
        dataset, version: what they are of, None where they are of no dataset.
    """

    rows: list[PlayRow]
    is_cut: bool = False
    dataset: str | None = None
    version: int | None = None


async def rows_of(play: PlayBody, queries: OwnQueries, project: str) -> FoundRows:
    """Returns the rows of a play.

    Raises:
        QueryError: where their query cannot be answered.
        PlayError: where it says no rows, or what it names is not there.
    """
    match play.rows:
        case TypedRows() as typed:
            ids = in_order(typed.order, typed.items)
            items = ((each, typed.items[each]) for each in ids)
            return FoundRows(
                [PlayRow(row_id, row.input, row.expected, row.metadata) for row_id, row in items]
            )
        case DatasetRows() as of:
            return await _of_dataset(of, queries, project)
        case QueryRows() as of_query:
            if not of_query.sql.strip():
                raise PlayError("cannot find rows: no query is written; write one that gives input")
            found = await queries.rows(of_query.sql, None, project, of_query.limit + 1)
            if found and "input" not in found[0]:
                raise PlayError("cannot find rows: the query gives no input; select … AS input")
            return FoundRows(_rows(found[: of_query.limit], project), len(found) > of_query.limit)
        case SpanRow() as span:
            ids_of = {"trace_id": span.trace_id.lower(), "span_id": span.span_id.lower()}
            found = await queries.rows(_SPAN, ids_of, project, 1)
            if not found:
                raise PlayError(
                    f"cannot find span {span.span_id!r}: project {project!r} has it not"
                )
            return FoundRows(_rows(found, project))
        case None:
            return FoundRows([])


async def _of_dataset(of: DatasetRows, queries: OwnQueries, project: str) -> FoundRows:
    if not of.dataset:
        raise PlayError("cannot find rows: no dataset is named; choose one")
    version = of.version
    if version is None:
        named = {"name": of.dataset, "project": project}
        [found] = await queries.rows(_VERSION, named, project, 1)
        version = found["version"]
        if version is None:
            raise PlayError(f"cannot find dataset {of.dataset!r}: project {project!r} has it not")
    sql = _DATASET.format(name=_quoted(of.dataset), version=version, project=_quoted(project))
    rows = await queries.rows(sql, None, project, of.limit + 1)
    return FoundRows(_rows(rows[: of.limit], project), len(rows) > of.limit, of.dataset, version)


def _rows(found: Iterable[Mapping[str, Any]], project: str) -> list[PlayRow]:
    """Returns rows with ids of their own: those that they have, their spans', else what follows from their content."""
    rows: dict[str, PlayRow] = {}
    for row in found:
        origin = row.get("origin")
        if row.get("trace_id") and row.get("span_id") and origin is None:
            origin = {
                "project": project,
                "trace_id": row["trace_id"],
                "span_id": row["span_id"],
            }
        own = row.get("id")
        if own is None and row.get("span_id"):
            own = f"{row.get('trace_id', '')}-{row['span_id']}"
        if own is None:
            own = digest([row["input"], row.get("expected"), row.get("metadata")])[:16]
        row_id, number = str(own), 1
        while row_id in rows:
            number += 1
            row_id = f"{own}-{number}"
        rows[row_id] = PlayRow(
            row_id,
            row.get("input"),
            row.get("expected"),
            row.get("metadata"),
            row.get("tags"),
            origin,
        )
    return list(rows.values())


def _quoted(text: str) -> str:
    return text.replace("'", "''")
