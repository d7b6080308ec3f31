"""The store's verbs over HTTP. Knows HTTP only: an app that imports this loads no engine and no kernel."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping
from typing import Any, Self

import httpx

from tracestore.client.documents import DocumentClient
from tracestore.client.evals import DatasetClient, ExperimentClient
from tracestore.client.explore import ExploreClient
from tracestore.client.operations import OperationsClient
from tracestore.content_types import PROTOBUF
from tracestore.feedback import FeedbackMethods

PATCHES_A_REQUEST = 5000
"""Patches sent in one request, which are stored together or not at all."""


class ClientError(Exception):
    """An answer of the server that is an error.

    Attributes:
        status: the HTTP status.
        problem: the server's problem document, empty where it sent none.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], text: str) -> None:
        detail = problem.get("detail") or text[:500]
        hint = f"; {problem['hint']}" if problem.get("hint") else ""
        super().__init__(f"{detail}{hint}")
        self.status = status
        self.problem = dict(problem)


class Answer:
    """The answer of a query.

    Attributes:
        columns: name and type of each column.
        warnings: what a reader should know.
        stats: what was read.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.columns: list[dict[str, str]] = list(document["columns"])
        self.warnings: list[str] = list(document["warnings"])
        self.stats: dict[str, Any] = dict(document["stats"])
        self._rows: list[list[Any]] = list(document["rows"])

    def rows(self) -> list[dict[str, Any]]:
        """Returns all rows as dicts."""
        names = [column["name"] for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self._rows]


class Client(FeedbackMethods):
    """A connection to a server; a context manager.

    Args:
        url: the server's base URL, e.g. `http://127.0.0.1:4318`.
        api_key: sent as a bearer token where it is given.
        timeout_s: seconds that one request may take.

    Attributes:
        datasets: versioned rows.
        experiments: named runs.
        explore: facets, counts over time, differences, waterfalls.
        documents: saved views, queries, boards and review queues.
        operations: state, retention, deletes and keys of the server.
    """

    def __init__(self, url: str, api_key: str | None = None, *, timeout_s: float = 120.0) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s)
        self.datasets = DatasetClient(self._send, self.sql)
        self.experiments = ExperimentClient(self._send)
        self.explore = ExploreClient(self._send)
        self.documents = DocumentClient(self._send)
        self.operations = OperationsClient(self._send)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connections."""
        self._http.close()

    def sql(self, sql: str, params: Any = None, *, timeout_s: float = 60.0) -> Answer:
        """Returns the answer of one SQL statement.

        Raises:
            ClientError: with the server's message.
        """
        body = {"sql": sql, "params": params, "timeout_s": timeout_s}
        return Answer(self._checked(self._http.post("/api/query", json=body)).json())

    def insert(
        self,
        table: str,
        rows: bytes | Iterable[Mapping[str, Any]],
        *,
        project: str | None = None,
        experiment: str | None = None,
    ) -> dict[str, Any]:
        """Stores rows of `spans` or `logs` and returns the server's report."""
        if not isinstance(rows, bytes):
            rows = "".join(json.dumps(dict(row), default=str) + "\n" for row in rows).encode()
        query = {"table": table, "project": project, "experiment": experiment}
        parameters = {name: value for name, value in query.items() if value is not None}
        report: dict[str, Any] = self._checked(
            self._http.post("/api/import", params=parameters, content=rows)
        ).json()
        return report

    def patch(
        self,
        patches: Mapping[str, Any] | Iterable[Mapping[str, Any]],
        *,
        project: str | None = None,
    ) -> int:
        """Changes scores, metadata, metrics, tags and expected of spans; returns the number of patches.

        Each has `trace_id`, `span_id`, perhaps `project`, and what changes; docs/guide/feedback.md has the
        rules. Patches beyond some thousands are sent in several requests.
        """
        given = [patches] if isinstance(patches, Mapping) else [dict(patch) for patch in patches]
        query = {} if project is None else {"project": project}
        for start in range(0, len(given), PATCHES_A_REQUEST):
            body = {"patches": given[start : start + PATCHES_A_REQUEST]}
            self._checked(self._http.post("/api/patch", params=query, json=body))
        return len(given)

    def ingest_otlp(
        self,
        body: bytes,
        signal: str,
        content_type: str = PROTOBUF,
        content_encoding: str | None = None,
        project: str | None = None,
        experiment: str | None = None,
    ) -> None:
        """Sends one OTLP export request as it is."""
        optional = {
            "Content-Encoding": content_encoding,
            "x-tracestore-project": project,
            "x-tracestore-experiment": experiment,
        }
        headers = {"Content-Type": content_type}
        headers |= {name: value for name, value in optional.items() if value is not None}
        self._checked(self._http.post(f"/v1/{signal}", content=body, headers=headers))

    def export(self, sql: str, accept: str, *, timeout_s: float = 600.0) -> Iterable[bytes]:
        """Yields a query's answer in the format of a media type, as it comes."""
        body = {"sql": sql, "timeout_s": timeout_s}
        with self._http.stream(
            "POST", "/api/query", json=body, headers={"Accept": accept}
        ) as response:
            if response.is_error:
                response.read()
            yield from self._checked(response).iter_bytes()

    def export_arrow(
        self, sql: str, params: Any = None, *, cursor: str | None = None
    ) -> Generator[bytes]:
        """Yields an answer as an Arrow IPC stream of any length; each batch's metadata may have a `cursor`.

        The last batch is empty and its metadata has the number of `rows`: a stream without it was cut off.
        """
        body = {"sql": sql, "params": params, "cursor": cursor}
        with self._http.stream("POST", "/api/export", json=body, timeout=None) as response:
            if response.is_error:
                response.read()
            yield from self._checked(response).iter_bytes()

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._checked(self._http.request(method, path, **options))

    @staticmethod
    def _checked(response: httpx.Response) -> httpx.Response:
        if response.is_error:
            try:
                problem = response.json()
            except ValueError:
                problem = {}
            raise ClientError(
                response.status_code, problem if isinstance(problem, dict) else {}, response.text
            )
        return response
