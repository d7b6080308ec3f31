"""The routes of nodes: what they ask each other, by a key of their own, and what an operator asks of them."""

from __future__ import annotations

import hmac
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from tracestore.errors import TraceStoreError
from tracestore.nodes.wire import encode, question_of
from tracestore.scopes import needs
from tracestore.store import Store
from tracestore_query.api.answers import ERRORS, not_found

KEY_HEADER: Final = "x-tracestore-cluster-key"
MEMORY_PATH: Final = "/internal/nodes/memory"
FLUSH_PATH: Final = "/internal/nodes/flush"

_KIND: Final = "application/x-tracestore-memory"


class NeedBody(BaseModel):
    """What the node that asks needs; null is all."""

    tables: list[str] | None
    projects: list[str] | None
    time_range: tuple[int, int] | None
    paths: list[str] | None


class QuestionBody(BaseModel):
    """What it needs, and what it has already: columns of some paths of tables, and the leaves of memtables."""

    need: NeedBody
    session: str = Field(max_length=64)
    held: list[tuple[list[str] | None, list[int]]]
    counted: list[tuple[int, int]]


class NodeAnswer(BaseModel):
    """A node that shares the catalog and the segments."""

    node_id: str
    is_this: bool = Field(description="Whether it is the node that answers.")
    role: str = Field(description="`all`, or `query` of a node that takes no rows.")
    url: str | None = Field(description="Where it answers; null before it does.")
    place: str = Field(description="Its host and folder.")
    software: str = Field(description="The version of its code.")
    is_up: bool = Field(description="Whether it was heard of lately.")
    stopped: bool = Field(
        description="Whether it ended in good order, with nothing left that is in no segment."
    )
    wal_mark: int = Field(description="The first file of its log whose rows may be in no segment.")
    seen_version: int = Field(description="The version of the catalog that it has followed to.")
    held_version: int = Field(
        description="The oldest version that a reader there still reads; later garbage is kept."
    )
    lease_left_s: float = Field(
        description="Seconds for which it counts as up without being heard of again; 0 where it does not."
    )


class NodeList(BaseModel):
    """All nodes."""

    nodes: list[NodeAnswer]


def nodes_router(store: Store, key: str | None) -> APIRouter:
    """Returns the routes of the nodes of a store.

    Args:
        store: the store.
        key: by which nodes know each other; None where there is one writer.
    """
    router = APIRouter(tags=["operations"])

    @router.get("/api/nodes", response_model=NodeList, responses=ERRORS)
    @needs("admin")
    async def nodes() -> Any:
        """Lists the nodes that share the catalog; none where there is one writer."""
        try:
            return await run_in_threadpool(_listed, store)
        except TraceStoreError as error:
            return _unavailable(error)

    @router.delete("/api/nodes/{node_id}", status_code=204, responses=ERRORS)
    @needs("admin")
    async def forget(node_id: str) -> Response:
        """Forgets a node that will not return: its rows that are in no segment are not missed any more."""
        if not await run_in_threadpool(store.nodes.forget, node_id):
            return not_found(f"there is no node {node_id} that is down")
        return Response(status_code=204)

    @router.post(MEMORY_PATH, include_in_schema=False)
    @needs()
    async def memory(request: Request) -> Response:
        # Whoever has no key has nothing parsed.
        if not _knows(request, key):
            return _refused()
        try:
            body = QuestionBody.model_validate_json(await request.body())
        except ValidationError:
            return JSONResponse({"title": "Not understood", "status": 422}, 422)
        try:
            question = question_of(body.model_dump())
            data = await run_in_threadpool(lambda: encode(store.nodes.answer(question)))
        except TraceStoreError as error:
            return _unavailable(error)
        return Response(data, media_type=_KIND)

    @router.post(FLUSH_PATH, include_in_schema=False)
    @needs()
    async def flush(request: Request) -> Response:
        if not _knows(request, key):
            return _refused()
        try:
            return JSONResponse({"segments": await run_in_threadpool(store.flush)})
        except (TraceStoreError, OSError) as error:
            return _unavailable(error)

    return router


def _listed(store: Store) -> dict[str, Any]:
    me = store.nodes.node_id
    fields = [name for name in NodeAnswer.model_fields if name != "is_this"]
    return {
        "nodes": [
            {**{name: getattr(node, name) for name in fields}, "is_this": node.node_id == me}
            for node in store.nodes.list()
        ]
    }


def _knows(request: Request, key: str | None) -> bool:
    given = request.headers.get(KEY_HEADER, "")
    return key is not None and hmac.compare_digest(given.encode(), key.encode())


def _refused() -> Response:
    detail = "this is for the other nodes of the cluster, by its key"
    return JSONResponse({"title": "Not allowed", "status": 403, "detail": detail}, 403)


def _unavailable(error: Exception) -> Response:
    return JSONResponse({"title": "Unavailable", "status": 503, "detail": str(error)}, 503)
