"""The schema over HTTP, for autocomplete: paths with their types, rows and, where asked for, example values."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from tracestore.errors import TraceStoreError
from tracestore.scopes import needs
from tracestore.store import NO_PATHS, Store
from tracestore.variant import TABLES, parse_path
from tracestore_query.api.answers import ERRORS, narrowed, problem
from tracestore_query.query import Query as QueryLayer
from tracestore_query.tables.names import quoted

SAMPLED_ROWS: Final = 1000
"""The newest rows, in which examples are looked for: a value that none of them has is no good example."""

MAX_EXAMPLE_PATHS: Final = 100
"""Paths of one answer that get examples: each is a column to read."""

MAX_EXAMPLE_CHARACTERS: Final = 100


def schema_router(store: Store, query: QueryLayer) -> APIRouter:
    """Returns the route of the schema of a store."""
    router = APIRouter(prefix="/api", tags=["query"])

    @router.get("/schema", responses=ERRORS)
    @needs("read")
    async def schema(
        request: Request,
        table: Annotated[str, Query(pattern="^(spans|logs)$")] = "spans",
        prefix: Annotated[str, Query(max_length=1000, description="Paths begin so.")] = "",
        limit: Annotated[int, Query(ge=1, le=100_000)] = 10_000,
        examples: Annotated[
            int,
            Query(
                ge=0,
                le=10,
                description=f"Example values of each of the first {MAX_EXAMPLE_PATHS} paths.",
            ),
        ] = 0,
        project: Annotated[
            str | None, Query(max_length=1024, description="Of this project alone.")
        ] = None,
    ) -> Any:
        """Lists columns and paths with their types and rows."""
        projects = narrowed(request, project)
        try:
            found = await run_in_threadpool(_schema, store, table, prefix, limit, projects)
            if examples:
                await run_in_threadpool(_add_examples, query, found, examples, projects)
        except TraceStoreError as error:
            return problem(error)
        return found

    return router


def _schema(
    store: Store, table: str, prefix: str, limit: int, projects: frozenset[str] | None
) -> dict[str, Any]:
    columns = TABLES[table].columns
    with store.snapshot((table,), projects, reads=NO_PATHS) as snapshot:
        types = snapshot.tables[table].leaf_types
        known = sorted(path for path in types if path.startswith(prefix))
        return {
            "table": table,
            "columns": [
                {"name": name, "type": str(kind)}
                for name, kind in columns.items()
                if name.startswith(prefix)
            ],
            "paths": [{"path": path, "types": dict(types[path])} for path in known[:limit]],
            "total": len(known),
        }


def _add_examples(
    query: QueryLayer, found: dict[str, Any], most: int, projects: frozenset[str] | None
) -> None:
    """Adds different values of the newest rows to the first paths, as text and cut to a length."""
    paths = found["paths"][:MAX_EXAMPLE_PATHS]
    table = found["table"]
    time = TABLES[table].time_ns_column
    values = ", ".join(f"{_chain(each['path'])}::VARCHAR AS v{i}" for i, each in enumerate(paths))
    lists = ", ".join(
        f"list_slice(list_distinct(list(left(v{i}, {MAX_EXAMPLE_CHARACTERS}))), 1, {most}) AS v{i}"
        for i in range(len(paths))
    )
    if not paths:
        return
    sql = (
        f"SELECT {lists} FROM (SELECT {values} FROM {table} ORDER BY {time} DESC "  # noqa: S608 - a path's keys are quoted
        f"LIMIT {SAMPLED_ROWS})"
    )
    row = query.sql(sql, projects=projects).rows()[0]
    for i, each in enumerate(paths):
        each["examples"] = row[f"v{i}"] or []


def _chain(path: str) -> str:
    """Returns a path as a query writes it: its column, then its keys in brackets."""
    first, *rest = (str(key) for key in parse_path(path))
    return first + "".join(f"[{quoted(key)}]" for key in rest)
