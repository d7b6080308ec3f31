"""A key bound to project A changes and learns nothing of project B, by any route and any spelling.

Two servers hold the same rows of A, and one of them rows, datasets and experiments of B too. The same requests with
a key of A get the same answers from both: then no answer, count, warning, suggestion or error tells of B.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

import tracestore
from data import processes
from data.api_requests import Pool, seen
from security.conftest import spans_of
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing

REQUESTS = 20
"""Requests a route."""

TRACES = [f"{i:031x}{mark}" for i in (1, 2) for mark in "ab"]
SPANS = [f"{i:015x}{mark}" for i in (1, 2) for mark in "ab"]
TEXTS = [
    "A",
    "B",
    "b",
    "B ",
    "*",
    "gold",
    "gold of B",
    "run of A",
    "run of B",
    "only_B",
    "' OR 1=1 --",
]
SQL = [
    "SELECT project, name FROM spans ORDER BY ALL LIMIT 5",
    "SELECT count(*) FROM spans WHERE project = 'B'",
    "SELECT * FROM projects",
    "SELECT path, rows FROM paths ORDER BY ALL",
    "SELECT count(*), sum(rows) FROM segments",
    "SELECT name, project FROM datasets ORDER BY ALL",
    "SELECT name, project FROM experiments ORDER BY ALL",
    "SELECT id, input FROM dataset('gold of B')",
    "SELECT id FROM dataset('gold') ORDER BY ALL",
    "SELECT * FROM experiment('run of B')",
    "SELECT count(*) FROM compare('run of A', 'run of B')",
    "SELECT attributes.only_ FROM spans LIMIT 1",
    "SELECT attributes.only_B FROM spans LIMIT 1",
    "SELECT * FROM project_logs('B')",
    f"SELECT name FROM spans WHERE trace_id = '{TRACES[1]}'",
    "SELECT count(*) FROM traces",
    "SELECT * FROM nosuch",
]
ROWS = [
    b'{"project": "B", "name": "forged"}\n',
    b'{"project": "A", "name": "own"}\n{"project": "B", "name": "forged"}\n',
    b'{"project": "B", "name": "forged", "trace_id": "%s", "span_id": "%s"}\n'
    % (TRACES[1].encode(), SPANS[1].encode()),
    b'{"id": "r1", "input": {"q": "forged"}, "project": "B"}\n',
    b'{"id": "1", "input": "forged"}\n',
    b'{"resource": {"tracestore.project": "B"}, "name": "forged"}\n',
]
POOL: dict[str, list[Any]] = {
    "sql": SQL,
    "trace_id": TRACES,
    "span_id": SPANS,
    "table": ["spans", "logs"],
    "project": ["A", "B", "b", "B ", "A,B", "*", ""],
    "experiments": [["run of A", "run of B"], ["run of B", "run of B"], ["run of A"]],
    "patches": [
        [{"project": project, "trace_id": trace, "span_id": span, "set": {"metadata": {"x": 1}}}]
        for project in ("A", "B", None)
        for trace, span in zip(TRACES, SPANS, strict=True)
    ],
    "inside": [{"where": "attributes.both = 1"}, {"from_ns": 0, "to_ns": 1}],
    "where": ["", "attributes.only_B IS NOT NULL", "project = 'B'", "attributes.only_ = 1"],
    "paths": [["project"], ["attributes.only_B", "attributes.both"], None],
    "ids": [["1"], ["r1"], []],
    "limit": [1, 5, 100],
    "accept": ["application/json", "application/x-ndjson"],
    "metadata": [{"a": 1}, None],
    "kind": ["view", "board"],
    "document_id": ["0" * 26],
    "version": [1, 2],
    "body": [{"sql": "SELECT 1"}, {}],
    "retention_days": [36_500, None],
    "scopes": [["read"], ["admin"]],
    "projects": [["A"], ["B"], ["A", "B"], None],
    "key_id": ["0" * 12],
}
POOL_OF_ALL = Pool(POOL, TEXTS, ROWS)

# A stream that does not end, and what only tells of the key.
LEFT_OUT = {"/api/explore/tail", "/api/session"}


@dataclass(frozen=True, slots=True)
class Place:
    """A server, and its keys: one bound to A, and one of everything."""

    server: Server
    bound: str
    root: str

    def send(self, method: str, path: str, key: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
        return httpx.request(
            method, self.server.url + path, headers=headers, timeout=processes.HANG_S, **more
        )

    def of_b(self) -> list[Any]:
        """Returns all that is there of B."""
        asked = [
            "SELECT * FROM spans WHERE project = 'B' ORDER BY span_id, name",
            "SELECT project, name, versions FROM datasets WHERE project <> 'A' ORDER BY ALL",
            "SELECT project, name FROM experiments WHERE project <> 'A' ORDER BY ALL",
            "SELECT name FROM projects WHERE name <> 'A' ORDER BY ALL",
        ]
        rows = [
            self.send("POST", "/api/query", self.root, json={"sql": sql}).json()["rows"]
            for sql in asked
        ]
        views = self.send("GET", "/api/documents/view", self.root, params={"project": "B"})
        return [
            *rows,
            views.json(),
            [key.name for key in self.server.keys.list() if not key.projects],
        ]


def made(folder: Path, projects: str) -> Place:
    settings = ServerSettings(data=folder, port=0, grpc_port=-1, require_keys=True)
    scopes = ("ingest", "read", "admin")
    tracestore.open(folder, background=False).close()
    ring = KeyRing(folder)
    root = ring.create("root", scopes)[1]
    bound = ring.create("bound", scopes, ("A",))[1]
    ring.close()
    server = Server(settings)
    place = Place(server, bound, root)
    server.__enter__()
    for project in projects:
        server.store.insert("spans", spans_of(project), project=project)
        names = ["gold"] if project == "A" else ["gold", "gold of B"]
        place.send(
            "POST",
            "/api/documents/view",
            root,
            params={"project": project},
            json={"name": f"view of {project}", "body": {}},
        ).raise_for_status()
        for name in names:
            rows = b'{"id": "1", "input": "of %s"}\n' % project.encode()
            given = {"name": name, "project": project}
            answer = place.send(
                "POST",
                "/api/datasets/rows",
                root,
                params=given,
                content=rows,
                headers={"Content-Type": "application/x-ndjson"},
            )
            assert answer.status_code == 200, answer.text
    server.store.flush()
    return place


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Place]]:
    """Gives a server of A alone, and one of A and B."""
    with_b = made(tmp_path_factory.mktemp("projects") / "both", "AB")
    alone = made(tmp_path_factory.mktemp("projects") / "alone", "A")
    yield alone, with_b
    for place in (alone, with_b):
        place.server.__exit__(None, None, None)


def test_every_route_answers_as_if_there_were_no_other_project(
    places: tuple[Place, Place],
) -> None:
    alone, with_b = places
    document = httpx.get(f"{alone.server.url}/openapi.json").json()
    before = with_b.of_b()
    told: list[str] = []
    # What deletes comes last: the other routes are asked while there are rows.
    for path, methods in sorted(
        document["paths"].items(),
        key=lambda item: (item[0] in {"/api/delete", "/api/projects"}, item[0]),
    ):
        if path in LEFT_OUT:
            continue
        for method, operation in sorted(methods.items()):
            rng = random.Random(f"{method} {path}")
            for _ in range(REQUESTS):
                where, request = POOL_OF_ALL.request(path, operation, document, rng)
                answers = [
                    place.send(method.upper(), where, place.bound, **request) for place in places
                ]
                if seen(answers[0]) != seen(answers[1]):
                    shown = " | ".join(f"{a.status_code} {a.text[:300]}" for a in answers)
                    told.append(f"{method} {where} {request}: {shown}")
    assert not told, "\n".join(told[:8])
    assert with_b.of_b() == before


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-tracestore-project": "B"},
        {"X-Tracestore-Project": "B", "x-tracestore-experiment": "run of B"},
        {"x-bt-parent": "project_name:B"},
    ],
)
@pytest.mark.parametrize("attribute", ["tracestore.project", "service.name"])
def test_spans_of_opentelemetry_reach_no_other_project(
    headers: dict[str, str], attribute: str, places: tuple[Place, Place]
) -> None:
    alone, with_b = places
    before = with_b.of_b()
    span = {"traceId": TRACES[1], "spanId": SPANS[1], "name": "forged", "startTimeUnixNano": "1"}
    resource = {"attributes": [{"key": attribute, "value": {"stringValue": "B"}}]}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
    # To both: what is allowed becomes rows of A, and the two servers have to hold the same of A whatever runs next.
    answers = [
        place.send("POST", "/v1/traces", place.bound, json=body, headers=headers)
        for place in (alone, with_b)
    ]
    assert seen(answers[0]) == seen(answers[1])
    assert with_b.of_b() == before
