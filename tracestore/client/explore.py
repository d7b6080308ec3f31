"""Looking around over HTTP, as the pages of the UI do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tracestore.errors import ClientError

if TYPE_CHECKING:
    import httpx


class ExploreClient:
    """The facets, counts over time, differences and waterfalls of a server; times are nanoseconds since 1970.

    Args:
        send: sends a request and checks its answer.
        follow: sends a request and yields the lines of its answer as they come.
    """

    def __init__(
        self, send: Callable[..., httpx.Response], follow: Callable[..., Iterator[str]]
    ) -> None:
        self._send = send
        self._follow = follow

    def tail(
        self, where: str = "", *, project: str | None = None
    ) -> Iterator[list[dict[str, Any]]]:
        """Yields the spans that match a condition as they arrive, newest first, until the server stops.

        Raises:
            ClientError: where the condition is none, or the server has no more of them to give.
        """
        query = {"where": where, **({} if project is None else {"project": project})}
        event = ""
        for line in self._follow("/api/explore/tail", params=query):
            name, _, value = line.partition(": ")
            if name == "event":
                event = value
            elif name == "data" and event == "spans":
                yield json.loads(value)
            elif name == "data" and event == "problem":
                raise ClientError(None, json.loads(value), value)

    def projects(self) -> list[dict[str, Any]]:
        """Returns the projects that the key may see, with their retention."""
        listed: list[dict[str, Any]] = self._send("GET", "/api/explore/projects").json()["projects"]
        return listed

    def facets(
        self, where: str = "", *, paths: Sequence[str] | None = None, **selection: Any
    ) -> list[dict[str, Any]]:
        """Returns facets of the rows that a condition selects.

        Args:
            where: the text after WHERE, empty for every row.
            paths: paths or expressions; by default the server chooses telling ones.
            selection: `project`, `table`, `from_ns`, `to_ns`.
        """
        body = {"where": where, "paths": None if paths is None else list(paths), **selection}
        answer = self._send("POST", "/api/explore/facets", json=body)
        return [json.loads(line) for line in answer.text.splitlines()]

    def timeline(self, where: str = "", *, buckets: int = 96, **selection: Any) -> dict[str, Any]:
        """Returns rows and errors over time; `selection` is as in `facets`."""
        body = {"where": where, "buckets": buckets, **selection}
        counts: dict[str, Any] = self._send("POST", "/api/explore/timeline", json=body).json()
        return counts

    def heatmap(self, where: str = "", *, buckets: int = 96, **selection: Any) -> dict[str, Any]:
        """Returns spans by time and duration; `selection` is as in `facets`."""
        body = {"where": where, "buckets": buckets, **selection}
        cells: dict[str, Any] = self._send("POST", "/api/explore/heatmap", json=body).json()
        return cells

    def differences(self, inside: str, where: str = "", **selection: Any) -> dict[str, Any]:
        """Returns the paths that tell rows inside a condition from the others that `where` selects."""
        body = {"where": where, "inside": inside, **selection}
        answer: dict[str, Any] = self._send("POST", "/api/explore/differences", json=body).json()
        return answer

    def waterfall(self, trace_id: str, *, project: str | None = None) -> bytes:
        """Returns a trace's spans in the order of its tree, as an Arrow IPC stream."""
        query = {} if project is None else {"project": project}
        return self._send("GET", f"/api/traces/{trace_id}/waterfall", params=query).content
