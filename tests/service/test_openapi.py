"""The API is what its OpenAPI document says, for any request that can be drawn from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tracestore.server import Server, ServerSettings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    chosen = ServerSettings(
        data=tmp_path_factory.mktemp("openapi") / "store", port=0, grpc_port=-1, durability="async"
    )
    with Server(chosen) as running:
        running.store.insert(
            "spans", [{"name": "x", "attributes": {"a": i}, "input": "q"} for i in range(20)]
        )
        yield running


@pytest.fixture(scope="module")
def api(server: Server) -> Any:
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json")


@schemathesis.serializer("application/x-ndjson")
def _lines(_: Any, value: Any) -> bytes:
    """Spells a drawn body as rows, a line each."""
    rows = value if isinstance(value, list) else [value]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def test_every_answer_is_one_that_the_document_tells(api: Any) -> None:
    failures = []
    # A stream that never ends by itself answers no drawn request.
    for found in api.exclude(path="/api/explore/tail").get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy())
        @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
        def every_request(case: Any) -> None:
            # Any text is valid as a name or as SQL to the document, and few are to the store.
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        try:
            every_request()
        except (AssertionError, BaseExceptionGroup) as error:
            failures.append(f"{operation.label}: {error!r}"[:3000])
    assert not failures, "\n\n".join(failures)


def test_the_document_names_every_route_and_error(server: Server) -> None:
    document = httpx.get(f"{server.url}/openapi.json").json()
    paths = set(document["paths"])
    wanted = (
        "query",
        "schema",
        "traces/{trace_id}",
        "import",
        "export",
        "datasets",
        "experiments",
        "patch",
    )
    assert {f"/api/{name}" for name in wanted} <= paths
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description") or operation.get("summary"), (method, path)
    assert "Problem" in json.dumps(document["components"])
