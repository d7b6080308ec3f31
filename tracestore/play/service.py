"""All of Play over one store: put together for a server, which starts nothing of it and stops what runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import Final

import httpx
from fastapi import APIRouter

from tracestore.embedded import Store
from tracestore.engine_process.door import EngineDoor
from tracestore.outbound.clients import async_client
from tracestore.outbound.fence import Fence
from tracestore.play.api.play_runs import play_runs_router
from tracestore.play.api.plays import plays_router
from tracestore.play.api.prompt_runs import PromptRuns
from tracestore.play.api.prompts import prompts_router
from tracestore.play.api.providers import providers_router
from tracestore.play.api.scorers import scorers_router
from tracestore.play.api.tools import tools_router
from tracestore.play.costs import CallCosts
from tracestore.play.own_queries import OwnQueries
from tracestore.play.prompts.prompts import Prompts
from tracestore.play.prompts.running import PromptRunner
from tracestore.play.providers.registry import Providers
from tracestore.play.providers.settings import ProviderSettings
from tracestore.play.runs.case import CaseRunner
from tracestore.play.runs.experiments import PlayExperiments
from tracestore.play.runs.plays import Plays
from tracestore.play.runs.sessions import PlaySessions
from tracestore.play.runs.sweep import Sweep
from tracestore.play.scorers.stored import StoredScorers
from tracestore.play.tools.stored import StoredTools
from tracestore.sandbox.sandbox import Sandbox

STOP_S: Final = 5.0
"""Seconds in which cells that are just stored may end when the server stops."""

MAX_CONNECTIONS: Final = 512
"""Connections to providers at once; each provider has its own bound on calls below that."""


@dataclass(frozen=True, slots=True)
class PlaySettings:
    """What a server says of Play.

    Attributes:
        providers: by name.
        key_hosts: the variables that providers of the API may name, each with the host that its key is for.
        private_hosts: hosts that providers of the API and tools may be at though their addresses are not public.
        tool_hosts: hosts that tools may ask.
        keep_days: days after which runs that nobody keeps are deleted.
    """

    providers: Mapping[str, ProviderSettings] = field(default_factory=dict)
    key_hosts: Mapping[str, str] = field(default_factory=dict)
    private_hosts: Collection[str] = ()
    tool_hosts: Collection[str] = ()
    keep_days: float = 14


class PlayService:
    """Play over one store, on the event loop of the server.

    Args:
        store: has the documents and takes the spans.
        settings: what the server says of it.
        door: gives the engine's door, None where statements run in this process.

    Attributes:
        sandbox: runs code of users.
        scorers: the scorers that there are.
        tools: the stored tools.
        providers: the providers of models.
        prompts: the prompts of the store.
        runner: runs prompts.
        queries: ask the store.
        plays: the plays of the store.
        sessions: those that are looked at or run.
        sweep: deletes what nobody keeps.
    """

    def __init__(
        self, store: Store, settings: PlaySettings, door: Callable[[], EngineDoor | None]
    ) -> None:
        self._http = _client()
        self._fenced_http = async_client(
            Fence(private=settings.private_hosts), timeout=None, max_connections=MAX_CONNECTIONS
        )
        self.providers = Providers(
            store.documents,
            settings.providers,
            settings.key_hosts,
            self._http,
            self._fenced_http,
        )
        costs = CallCosts(store.settings.prices)
        self.sandbox = Sandbox()
        self.scorers = StoredScorers(store.documents, self.sandbox, self.providers, costs)
        fence = Fence(settings.tool_hosts, settings.private_hosts, setting="tool_hosts")
        self._tool_http = async_client(fence, timeout=None)
        self.tools = StoredTools(store.documents, self.sandbox, fence, self._tool_http)
        self.prompts = Prompts(store.documents)
        self.runner = PromptRunner(self.providers, self.tools, costs)
        self._prompt_runs = PromptRuns(store, self.prompts, self.runner)
        self.queries = OwnQueries(store, door)
        self.plays = Plays(store.documents)
        experiments = PlayExperiments(store, self.queries, settings.keep_days)
        cases = CaseRunner(store, self.runner, self.prompts, self.queries)
        self.sessions = PlaySessions(self.plays, cases, experiments, self.scorers)
        self.sweep = Sweep(experiments, self.sessions.forget)

    def routers(self) -> list[APIRouter]:
        """Returns the routes of all of it."""
        return [
            providers_router(self.providers),
            prompts_router(self.prompts, self._prompt_runs),
            scorers_router(self.scorers),
            tools_router(self.tools),
            plays_router(self.plays, self.sessions),
            play_runs_router(self.sessions, self.queries),
        ]

    def start(self) -> None:
        """Starts what runs in the background."""
        self.sweep.start()

    def stop(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Ends runs and streams, from another thread than that of the server's event loop."""
        self.sweep.stop()
        if loop is not None and loop.is_running():
            ended = asyncio.run_coroutine_threadsafe(self.sessions.end(), loop)
            with contextlib.suppress(TimeoutError, CancelledError):
                ended.result(STOP_S)

    async def aclose(self) -> None:
        """Closes the connections; on the server's event loop."""
        await self._http.aclose()
        await self._fenced_http.aclose()
        await self._tool_http.aclose()
        await asyncio.to_thread(self.sandbox.close)


def _client() -> httpx.AsyncClient:
    # A redirect could lead where nobody meant to send a key, and a proxy would see it.
    return httpx.AsyncClient(
        follow_redirects=False,
        trust_env=False,
        limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=64),
    )
