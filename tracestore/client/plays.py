"""Plays of a server: prompts and models tried side by side on rows, each column's run an experiment."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

Json = dict[str, Any]


class PlayClient:
    """The plays of a server.

    Args:
        send: sends a request and checks its answer.
        stream: yields the lines of an answer as they come.
    """

    def __init__(
        self,
        send: Callable[..., httpx.Response],
        stream: Callable[..., Iterable[str]],
    ) -> None:
        self._send = send
        self._stream = stream

    def list(self, *, project: str | None = None) -> list[Json]:
        """Returns plays without their content."""
        listed: list[Json] = self._send("GET", "/api/play", params=_of(project)).json()
        return listed

    def create(self, name: str, body: Mapping[str, Any], *, project: str | None = None) -> Json:
        """Saves a new play: its `rows`, `columns`, `order` and `scorers`; docs/design/play.md has their form."""
        given = {"name": name, "body": dict(body)}
        return self._sent("POST", "/api/play", params=_of(project), json=given)

    def get(self, document_id: str, *, project: str | None = None) -> Json:
        """Returns a play."""
        return self._sent("GET", f"/api/play/{document_id}", params=_of(project))

    def edit(
        self, document_id: str, path: Sequence[str | int], value: Any, *, project: str | None = None
    ) -> Json:
        """Changes one place of a play: the last change wins there, and others stay."""
        given = {"edits": [{"path": list(path), "value": value}]}
        return self._sent("PATCH", f"/api/play/{document_id}", params=_of(project), json=given)

    def run(
        self,
        document_id: str,
        what: str = "changed",
        *,
        columns: Collection[str] | None = None,
        rows: Collection[str] | None = None,
        project: str | None = None,
    ) -> Json:
        """Runs cells and returns the run when it has ended, or was stopped.

        Args:
            document_id: the play.
            what: `all`, or `changed` for those that have no result of what they are now.
            columns: of these columns alone.
            rows: of these rows alone.
            project: whose play it is.
        """
        given = {
            "what": what,
            "columns": None if columns is None else sorted(columns),
            "rows": None if rows is None else sorted(rows),
        }
        events = self.events(document_id, project=project)
        next(events)
        path = f"/api/play/{document_id}/run"
        self._send("POST", path, params=_of(project), json=given)
        for name, told in events:
            if name == "run" and told["run"]["state"] != "running":
                run: Json = told["run"]
                return run
        return {}

    def stop(self, document_id: str, *, project: str | None = None) -> None:
        """Ends what runs and waits; what is done stays."""
        self._send("POST", f"/api/play/{document_id}/stop", params=_of(project), json={})

    def cells(self, document_id: str, *, project: str | None = None) -> tuple[Json, ...]:
        """Returns the cells that have run or are to, with what they gave."""
        answer = self._sent("GET", f"/api/play/{document_id}/cells", params=_of(project))
        return tuple(answer["cells"])

    def keep(self, document_id: str, column: str, name: str, *, project: str | None = None) -> str:
        """Keeps the experiment of a column's last run, and gives it a name; returns that name."""
        given = {"column": column, "name": name}
        path = f"/api/play/{document_id}/keep"
        return str(self._sent("POST", path, params=_of(project), json=given)["experiment"])

    def events(self, document_id: str, *, project: str | None = None) -> Iterator[tuple[str, Json]]:
        """Yields what happens as it happens: the name of an event and what it says, the state first."""
        name = ""
        path = f"/api/play/{document_id}/events"
        for line in self._stream("GET", path, params=_of(project)):
            if line.startswith("event: "):
                name = line[len("event: ") :]
            elif line.startswith("data: "):
                yield name, json.loads(line[len("data: ") :])

    def _sent(self, method: str, path: str, **options: Any) -> Json:
        answer: Json = self._send(method, path, **options).json()
        return answer


def _of(project: str | None) -> Json:
    return {} if project is None else {"project": project}
