"""The gateway's route: a request is passed on, its answer is passed back as it comes, and the call becomes a span."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import structlog
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tracestore.embedded import Store
from tracestore.errors import (
    OutboundRefusedError,
    ProjectForbiddenError,
    ProviderError,
    TraceStoreError,
    UnknownProviderError,
)
from tracestore.gateway import cache as caching
from tracestore.gateway.answers import usage_of
from tracestore.gateway.budgets import Budgets, OverBudgetError, used
from tracestore.gateway.cache import AnswerCache, Kept
from tracestore.gateway.passed_back import PassedBack
from tracestore.gateway.passing import Passing, call_of, object_of
from tracestore.gateway.scrubbing import KeyBytes
from tracestore.gateway.shapes import PREFIX, ROUTES, Route, refusal
from tracestore.gateway.spans import Call, encoded
from tracestore.play.costs import CallCosts
from tracestore.play.providers.keys import key_of
from tracestore.play.providers.registry import ADAPTERS, Provider, Providers
from tracestore.scopes import needs
from tracestore_ingest.request_route import route_of
from tracestore_query.api.datasets import project_of

log = structlog.get_logger("tracestore.gateway")

MAX_CALLS: Final = 256
"""Calls under way at once; a model takes seconds, and each holds two connections."""

SAVE_S: Final = 5.0
"""Seconds between two savings of what keys have spent: what a power cut may forget, and other nodes do not know yet."""

CONNECT_S: Final = 10.0

ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The provider's answer.",
        "content": {"application/json": {}, "text/event-stream": {}},
    },
    "default": {
        "description": "An error in the provider's own form, its own or the gateway's.",
        "content": {"application/json": {}},
    },
}
"""What the routes may answer, for OpenAPI."""

_NOT_PASSED_ON: Final = frozenset(
    {
        "host", "connection", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade", "content-length", "accept-encoding", "authorization", "x-api-key", "cookie",
        "traceparent", "tracestate", "baggage", "forwarded", "x-forwarded-for", "x-forwarded-host",
        "x-forwarded-proto", "x-real-ip",
    }
)  # fmt: skip
"""Headers of a request that are of its connection, hold a key of ours, or tell the caller's own affairs."""

_NOT_PASSED_BACK: Final = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "upgrade", "set-cookie", "server", "date", "alt-svc",
     "strict-transport-security", "content-security-policy", "access-control-allow-origin"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What a server says of its gateway.

    Attributes:
        usd_per_day: that each key may spend; None where the gateway is off.
        budgets: of keys by their names, in place of that.
        cache_s: the greatest age of an answer that a request may ask for.
    """

    usd_per_day: float | None = None
    budgets: Mapping[str, float] = field(default_factory=dict)
    cache_s: float = 86_400.0


class Gateway:
    """The gateway of a server, on its event loop.

    Args:
        store: takes the spans.
        providers: are asked.
        settings: what the server says of it.
    """

    def __init__(self, store: Store, providers: Providers, settings: GatewaySettings) -> None:
        self._store = store
        self._providers = providers
        costs = CallCosts(store.settings.prices)
        self._budgets = Budgets(store.documents, costs, settings.usd_per_day, settings.budgets)
        self._cache = AnswerCache(settings.cache_s)
        self._under_way = 0
        self._keeping: set[asyncio.Task[None]] = set()
        self._shared: asyncio.Future[None] | None = None
        self._shared_s = 0.0
        self._is_known = False
        self._saving: asyncio.Task[None] | None = None

    def router(self) -> APIRouter:
        """Returns its routes."""
        router = APIRouter(prefix=PREFIX.rstrip("/"), tags=["gateway"])
        for path in ROUTES:
            router.add_api_route(
                f"/{{provider}}/v1/{path}",
                self._endpoint(path),
                methods=["POST"],
                response_class=Response,
                responses=ANSWERS,
                name=f"gateway_{path.replace('/', '_')}",
            )
        return router

    async def aclose(self) -> None:
        """Waits for spans that are being stored, and keeps what was spent."""
        if self._saving is not None:
            self._saving.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        with contextlib.suppress(TraceStoreError):
            await asyncio.to_thread(self._budgets.share)

    def _endpoint(self, path: str) -> Any:
        @needs("ingest")
        async def call(request: Request, provider: str) -> Response:
            """Passes a request on to a provider, and its answer back as it comes."""
            return await self._answer(request, provider, ROUTES[path])

        return call

    async def _answer(self, request: Request, name: str, route: Route) -> Response:
        path = request.url.path
        body = await request.body()
        headers = request.headers
        key_name: str | None = getattr(request.state, "key_name", None)
        key_id = getattr(request.state, "key_id", None) or ""
        limit = self._budgets.limit(key_name)
        if limit is None:
            why = "the gateway is off; set gateway_usd_per_day of the server"
            return refusal(path, 403, why)
        try:
            project = project_of(request, route_of(headers).project)
            provider = await run_in_threadpool(self._providers.get, name, project)
            provider_key = key_of(name, provider.settings)
            outgoing = self._outgoing(provider, provider_key, route, request, body)
        except (ProjectForbiddenError, UnknownProviderError, ProviderError) as error:
            status = 403 if isinstance(error, ProjectForbiddenError) else 404
            return refusal(path, 503 if isinstance(error, ProviderError) else status, str(error))
        traceparent = headers.get("traceparent")
        passing = Passing(
            name, route, body, object_of(body), project, key_name, traceparent, provider_key
        )
        age_s = self._cache.age_of(headers)
        if age_s:
            passing.cache_key = caching.key_of(key_id, project, name, path, headers, body)
            kept = self._cache.get(passing.cache_key, age_s)
            if kept is not None:
                return self._from_cache(passing, kept)
        await self._ready()
        if self._under_way >= MAX_CALLS:
            return refusal(path, 503, "too many calls are under way", {"Retry-After": "1"})
        try:
            model = str(passing.request.get("model", ""))
            most = self._budgets.most(model, name, passing.request, len(body))
            passing.reserved = self._budgets.reserve(key_id, limit, most)
        except OverBudgetError as error:
            return refusal(path, 429, str(error))
        return await self._pass_on(passing, outgoing, provider, path)

    def _outgoing(
        self, provider: Provider, provider_key: str, route: Route, request: Request, body: bytes
    ) -> httpx.Request:
        settings = provider.settings
        if settings.kind != route.kind:
            raise UnknownProviderError(
                f"cannot ask provider {provider.name} so: it is of kind {settings.kind}"
            )
        given = [
            (name, value)
            for name, value in request.headers.items()
            if name not in _NOT_PASSED_ON and not name.startswith("x-tracestore-")
        ]
        own = ADAPTERS[settings.kind].headers(provider_key)
        there = {name for name, _ in given}
        given += [(name, value) for name, value in own.items() if name.lower() not in there]
        # What comes is read for the span, and is passed back byte for byte.
        given.append(("accept-encoding", "identity"))
        query = f"?{request.url.query}" if request.url.query else ""
        timeout = httpx.Timeout(settings.timeout_s, connect=CONNECT_S)
        return self._providers.http(provider).build_request(
            "POST",
            settings.base_url + route.upstream + query,
            content=body,
            headers=given,
            timeout=timeout,
        )

    async def _pass_on(
        self, passing: Passing, outgoing: httpx.Request, provider: Provider, path: str
    ) -> Response:
        self._under_way += 1
        try:
            answer = await self._providers.http(provider).send(outgoing, stream=True)
        except (httpx.HTTPError, OutboundRefusedError) as error:
            why = f"cannot reach provider {provider.name}: {str(error) or type(error).__name__}"
            passing.error = why
            self._ended(passing)
            return refusal(path, 503, why)
        except BaseException:
            self._ended(passing)
            raise
        passing.status = answer.status_code
        passing.content_type = answer.headers.get("content-type", "")
        headers = [
            (name, value)
            for name, value in answer.headers.multi_items()
            if name.lower() not in _NOT_PASSED_BACK
        ]

        async def close() -> None:
            self._ended(passing)
            await asyncio.shield(answer.aclose())

        return PassedBack(self._parts(passing, answer, headers), answer.status_code, headers, close)

    async def _parts(
        self, passing: Passing, answer: httpx.Response, headers: list[tuple[str, str]]
    ) -> AsyncIterator[bytes]:
        """Yields an answer's bytes as they come, without the provider's key."""
        secret = KeyBytes(passing.provider_key)
        try:
            async for came in answer.aiter_raw():
                part = secret.part(came)
                if part:
                    passing.came(part)
                    yield part
            if rest := secret.rest():
                passing.came(rest)
                yield rest
            passing.error = None
            if passing.cache_key is not None and answer.status_code == 200 and passing.is_whole:
                self._cache.put(passing.cache_key, 200, headers, passing.parts)
        except httpx.HTTPError as error:
            passing.error = (
                f"the provider's answer was cut off: {str(error) or type(error).__name__}"
            )
            raise

    def _from_cache(self, passing: Passing, kept: Kept) -> Response:
        self._under_way += 1
        passing.cached, passing.status, passing.error = True, kept.status, None
        headers = [*kept.headers, (caching.HEADER, f"hit; age={kept.age_s}")]
        passing.content_type = dict(kept.headers).get("content-type", "")
        for part in kept.parts:
            passing.came(part)

        async def parts() -> AsyncIterator[bytes]:
            for part in kept.parts:
                yield part

        self._ended(passing)
        return PassedBack(parts(), kept.status, headers)

    # --- what is done beside the connection ---

    def _ended(self, passing: Passing) -> None:
        """Has a call that has ended counted and stored, apart from its connection."""
        self._under_way -= 1
        duration_ns = time.perf_counter_ns() - passing.started_ns
        task = asyncio.get_running_loop().create_task(self._keep(passing, duration_ns))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _keep(self, passing: Passing, duration_ns: int) -> None:
        call = await asyncio.to_thread(call_of, passing, duration_ns)
        if passing.reserved is not None:
            self._budgets.settle(passing.reserved, self._cost(passing, call))
            self._save_later()
        try:
            await asyncio.to_thread(
                lambda: self._store.ingest_otlp(encoded(call), "traces", project=passing.project)
            )
        except (TraceStoreError, OSError) as error:
            log.warning("a call is not stored", error=str(error))

    def _cost(self, passing: Passing, call: Call) -> float:
        failed = passing.status is None or passing.status >= 400
        counts = usage_of(call.shape, call.answer)
        if failed and not counts:
            return 0.0
        usage = used(counts, call.shape, len(passing.body), passing.size)
        return self._budgets.cost(str(passing.request.get("model", "")), passing.provider, usage)

    async def _ready(self) -> None:
        """Knows what was spent before, and what other nodes had spent some seconds ago."""
        now_s = time.monotonic()
        if self._shared is None or (self._shared.done() and now_s - self._shared_s >= SAVE_S):
            self._shared_s = now_s
            self._shared = asyncio.ensure_future(asyncio.to_thread(self._budgets.share))
        try:
            await asyncio.shield(self._shared)
            self._is_known = True
        except TraceStoreError:
            if not self._is_known:
                self._shared = None
                raise

    def _save_later(self) -> None:
        if self._saving is None or self._saving.done():
            self._saving = asyncio.get_running_loop().create_task(self._save())

    async def _save(self) -> None:
        await asyncio.sleep(SAVE_S)
        try:
            await asyncio.to_thread(self._budgets.share)
        except TraceStoreError as error:
            log.warning("what was spent is not kept yet", error=str(error))
