"""The routes of the API over a store, the same in the serving process and in the engine process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from tracestore.embedded import Store
from tracestore_ingest.threads import IngestThreads
from tracestore_query.api.datasets import datasets_router
from tracestore_query.api.experiments import experiments_router
from tracestore_query.api.explore import explore_router
from tracestore_query.api.export import export_router
from tracestore_query.api.langfuse import langfuse_router
from tracestore_query.api.operations import operations_router
from tracestore_query.api.patches import patches_router
from tracestore_query.api.query import api_router
from tracestore_query.api.schema import schema_router
from tracestore_query.api.tail import tail_router
from tracestore_query.api.traces import traces_router
from tracestore_query.doors.get_query import get_query_router
from tracestore_query.doors.jaeger import jaeger_router
from tracestore_query.doors.tempo.routes import tempo_router

if TYPE_CHECKING:
    from tracestore_query import Query


def include_api(
    app: FastAPI, store: Store, stopping: threading.Event, threads: IngestThreads
) -> None:
    """Adds every route of the API to an application; streams that do not end by themselves end with `stopping`."""
    query: Query = _LateQuery(store)  # type: ignore[assignment] # has its door, and makes it at the first use
    app.include_router(api_router(store, query, threads.run))
    app.include_router(get_query_router(query))
    app.include_router(jaeger_router(query))
    app.include_router(tempo_router(query))
    app.include_router(schema_router(store, query))
    app.include_router(explore_router(store, query))
    app.include_router(tail_router(query, stopping))
    app.include_router(traces_router(query))
    app.include_router(export_router(query))
    app.include_router(datasets_router(store.datasets))
    app.include_router(experiments_router(store.experiments))
    app.include_router(patches_router(store.patch))
    app.include_router(langfuse_router(query, store.patch))
    app.include_router(operations_router(store))


class _LateQuery:
    """The door of a store's query layer, which is made when the first statement comes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def sql(self, *args: Any, **more: Any) -> Any:
        """Returns the answer of one statement."""
        return self._store.query.sql(*args, **more)
