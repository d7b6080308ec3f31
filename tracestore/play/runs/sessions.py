"""The sessions of plays: one for each play that somebody looks at or that runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from tracestore.errors import PlayError
from tracestore.play.runs.case import CaseRunner
from tracestore.play.runs.edits import Edit
from tracestore.play.runs.experiments import PlayExperiments
from tracestore.play.runs.plays import Plays
from tracestore.play.runs.session import PlaySession
from tracestore.play.scoring import Scorers
from tracestore.store import Document

MAX_SESSIONS: Final = 200
"""Plays at once that are looked at or run, each with its cells in memory."""


class PlaySessions:
    """The sessions of a server's plays, on its event loop.

    Args:
        plays: has their documents.
        cases: runs cells.
        experiments: has the experiments of columns.
        scorers: the scorers that there are.
    """

    def __init__(
        self,
        plays: Plays,
        cases: CaseRunner,
        experiments: PlayExperiments,
        scorers: Scorers,
    ) -> None:
        self._plays = plays
        self._cases = cases
        self._experiments = experiments
        self._scorers = scorers
        self._sessions: dict[tuple[str, str], PlaySession] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def of(self, document_id: str, project: str) -> PlaySession:
        """Returns the session of a play; raises UnknownDocumentError, PlayError where there are too many."""
        await asyncio.to_thread(self._plays.get, document_id, project)
        self._loop = asyncio.get_running_loop()
        known = self._sessions.get((project, document_id))
        if known is not None:
            return known
        idle = [key for key, session in self._sessions.items() if session.is_idle]
        for key in idle:
            del self._sessions[key]
        if len(self._sessions) >= MAX_SESSIONS:
            raise PlayError(f"cannot open play: {MAX_SESSIONS} are open already; close one")
        session = PlaySession(
            document_id, project, self._plays, self._cases, self._experiments, self._scorers
        )
        self._sessions[project, document_id] = session
        return session

    async def edit(
        self,
        document_id: str,
        edits: Sequence[Edit],
        project: str,
        author: str | None,
        client: str | None,
        name: str | None,
    ) -> tuple[Document, int, list[int]]:
        """Changes a play and tells its viewers; returns it, the event's number, and the edits that were ignored."""
        document, ignored = await asyncio.to_thread(
            self._plays.edit, document_id, edits, project, author, name
        )
        session = self._sessions.get((project, document_id))
        if session is None:
            return document, 0, ignored
        told = [each.model_dump() for at, each in enumerate(edits) if at not in set(ignored)]
        sequence = session.viewers.publish_edits(document, told, author, client)
        return document, sequence, ignored

    async def delete(self, document_id: str, version: int, project: str) -> None:
        """Removes a play; its viewers are told, and what runs ends."""
        await asyncio.to_thread(self._plays.delete, document_id, version, project)
        session = self._sessions.pop((project, document_id), None)
        if session is not None:
            session.viewers.publish("deleted", {})
            await session.end()

    def forget(self, experiments: list[tuple[str, str]]) -> None:
        """Forgets cells of experiments, by project and name, that are gone; from another thread."""
        if self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._forget, experiments)

    def _forget(self, experiments: list[tuple[str, str]]) -> None:
        for (project, _), session in self._sessions.items():
            session.forget({name for owner, name in experiments if owner == project})

    async def end(self) -> None:
        """Ends everything, since the server stops."""
        await asyncio.gather(*(session.end() for session in self._sessions.values()))
