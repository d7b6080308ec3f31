"""Datasets with SQL: rows from a query, rows changed field by field, rows read back."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from tracestore.errors import DatasetError, UnknownDatasetError
from tracestore.store import (
    DATASET_FIELDS,
    Core,
    Dataset,
    DatasetReport,
    DatasetRow,
    Datasets,
    checked_id,
    make_row,
    rows_of,
)
from tracestore_query.answer.json_texts import json_texts
from tracestore_query.answer.result import Result
from tracestore_query.language.parameters import Parameters
from tracestore_query.query import Query
from tracestore_query.tables.names import STORED, quoted

_ORIGIN: Final = ("project", "experiment", "trace_id", "span_id")
_NULL: Final = "null"
_IDS: Final = 1000
"""Ids looked up by one query."""


class SqlDatasets(Datasets):
    """The datasets of a store, which queries fill and read. Thread-safe: one write at a time.

    Args:
        core: the open store's parts.
        query: gives the query layer over it.
    """

    def __init__(self, core: Core, query: Callable[[], Query]) -> None:
        super().__init__(core)
        self._query = query

    def add(
        self,
        name: str,
        rows: Iterable[Mapping[str, Any]] | None = None,
        *,
        sql: str | None = None,
        params: Parameters = None,
        project: str | None = None,
        projects: Collection[str] | None = None,
        timeout_s: float | None = None,
    ) -> DatasetReport:
        """Adds rows, or the rows of a query's answer, as one version; makes the dataset where there is none.

        Args:
            name: the dataset.
            rows: dicts of `input` and, where there is one, `id`, `expected`, `metadata`, `tags`, `origin`.
            sql: a query whose columns are those; `output` counts as `expected` where there is no such
                column. Columns `trace_id` and `span_id` become the `origin`; other columns of spans are left out.
            params: parameters of the query.
            project: the dataset's project.
            projects: the projects that the query may see, None for all.
            timeout_s: seconds for the query, None for no bound.

        A row whose id is known replaces that row; one that says the same changes nothing. A row without
        an id is named after the span in its origin, else after its content. Raises DatasetError naming
        the row at fault; nothing has changed then.
        """
        if (rows is None) == (sql is None):
            raise DatasetError(f"cannot add to dataset {name!r}: give rows or sql, one of the two")
        if rows is not None:
            return super().add(name, rows, project=project)
        owner = project or "default"

        def answer(_: Dataset) -> Iterator[DatasetRow]:
            # The query is asked while nobody else writes: it may read the dataset that it adds to.
            with self._query().sql(
                sql or "", params, projects=projects, timeout_s=timeout_s
            ) as result:
                yield from rows_of_result(result, owner)

        return self.change(name, answer, project=project, create=True)

    def update(
        self, name: str, rows: Iterable[Mapping[str, Any]], *, project: str | None = None
    ) -> DatasetReport:
        """Changes fields of rows that are there, as one version.

        Args:
            name: the dataset.
            rows: dicts of `id` and the fields to change; None takes a field away.
            project: its project.

        Raises UnknownDatasetError for an id that is not there, DatasetError for a row without one.
        """
        changes: dict[str, dict[str, Any]] = {}
        for number, row in enumerate(rows):
            if row.get("id") is None:
                raise DatasetError(
                    f"cannot change row {number} of dataset {name!r}: it has no id; name the row"
                )
            changes.setdefault(checked_id(number, row["id"]), {}).update(row)

        def changed(dataset: Dataset) -> Iterator[DatasetRow]:
            current = {row["id"]: row for row in self._rows_of(dataset, list(changes))}
            missing = [row_id for row_id in changes if row_id not in current]
            if missing:
                raise UnknownDatasetError(
                    f"cannot change row {missing[0]!r}: dataset {name!r} has no such row"
                )
            merged = [{**current[row_id], **change} for row_id, change in changes.items()]
            return rows_of(merged, dataset.project)

        return self.change(name, changed, project=project)

    def rows(
        self, name: str, version: int | str | None = None, *, project: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yields the rows as of a version or snapshot (default the newest), in the order they were added."""
        dataset = self.get(name, project)
        yield from self._read(dataset, dataset.at(version), "ORDER BY created_ns", None)

    def _rows_of(self, dataset: Dataset, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yields the rows of some ids as of a dataset's newest version."""
        for start in range(0, len(ids), _IDS):
            some = {"ids": list(ids[start : start + _IDS])}
            yield from self._read(dataset, dataset.version, "WHERE list_contains($ids, id)", some)

    def _read(
        self, dataset: Dataset, version: int, clause: str, params: Parameters
    ) -> Iterator[dict[str, Any]]:
        sql = (
            f"SELECT id, {', '.join(DATASET_FIELDS)} FROM dataset({quoted(dataset.name)}, {version}, "
            f"{quoted(dataset.project)}) {clause}"
        )
        with self._query().sql(sql, params, timeout_s=None) as result:
            yield from _dicts(result)


def rows_of_result(result: Result, project: str) -> Iterator[DatasetRow]:
    """Yields the rows of an answer as rows of a project's dataset; values go through as the JSON they are.

    Raises DatasetError for columns that a row of a dataset has no place for.
    """
    names = [name.lower() for name in result.schema.names]
    known = {*STORED["spans"].columns, *STORED["spans"].variants, "id", *DATASET_FIELDS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DatasetError(
            f"cannot keep columns {', '.join(unknown)}: a row has id, {', '.join(DATASET_FIELDS)}; select them as "
            f"metadata: {{'{unknown[0]}': {unknown[0]}}} AS metadata"
        )
    renamed = dict(zip(names, names, strict=True))
    if "expected" not in names and "output" in names:
        renamed["output"] = "expected"
    wanted = [
        (at, renamed[name])
        for at, name in enumerate(names)
        if renamed[name] in {"id", *DATASET_FIELDS, *_ORIGIN}
    ]
    number = 0
    for batch in result:
        columns = {
            name: json_texts(batch.column(at), result.types[at]).to_pylist() for at, name in wanted
        }
        for at in range(batch.num_rows):
            texts = {
                name: columns[name][at]
                for name in DATASET_FIELDS
                if name in columns and columns[name][at] != _NULL
            }
            if "origin" not in texts and "trace_id" in columns:
                texts |= _origin(columns, at)
            row_id = json.loads(columns["id"][at]) if "id" in columns else None
            yield make_row(number, row_id, texts, project)
            number += 1


def _origin(columns: Mapping[str, Sequence[str]], at: int) -> dict[str, str]:
    """Returns the origin of a row by its span's ids, nothing where it has none."""
    parts = [
        f'"{name}":{columns[name][at]}'
        for name in _ORIGIN
        if name in columns and columns[name][at] != _NULL
    ]
    return {"origin": "{" + ",".join(parts) + "}"} if parts else {}


def _dicts(result: Result) -> Iterator[dict[str, Any]]:
    for batch in result:
        columns = [
            json_texts(column, sql_type).to_pylist()
            for column, sql_type in zip(batch.columns, result.types, strict=True)
        ]
        for cells in zip(*columns, strict=True):
            yield {
                name: json.loads(cell)
                for name, cell in zip(result.schema.names, cells, strict=True)
            }
