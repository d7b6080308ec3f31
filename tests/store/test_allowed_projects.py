"""A writer that may write to some projects writes to these only, however a row names its project."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import tracestore
from tracestore import Store
from tracestore.errors import ProjectForbiddenError
from tracestore.store.write import row_input

ALLOWED = frozenset({"shop"})
SPELLINGS: list[Callable[[str], str]] = [
    lambda name: json.dumps({"project": name})[1:-1],
    lambda name: f'"pro\\u006aect" : {json.dumps(name)}',
    lambda name: f'"project":"{name[0]}\\u{ord(name[1]):04x}{name[2:]}"',
    lambda name: f'"project":"shop","project":{json.dumps(name)}',
    lambda name: f'"metadata":{{"a":{"9" * 40}}},"project":{json.dumps(name)}',
    lambda name: f'\r"project"\t:\n{json.dumps(name)}'.replace("\n", " "),
]
IDS = [
    "",
    '"trace_id":"%(number)032x"',
    '"span_id":"%(number)016x"',
    '"trace_id":"%(number)032x","span_id":"%(number)016x"',
    '"trace_id":"%(number)032x","span_id":"%(number)016x","start_ns":%(number)d',
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder: Path = tmp_path_factory.mktemp("allowed")
    with tracestore.open(folder, background=False, durability="async") as store:
        yield store


def count(store: Store) -> dict[str, int]:
    """Returns the rows of every project."""
    sql = "SELECT project, count(*) AS n FROM spans GROUP BY ALL"
    spans = {row["project"]: row["n"] for row in store.sql(sql).rows()}
    for row in store.sql(sql.replace("spans", "logs")).rows():
        spans[row["project"]] = spans.get(row["project"], 0) + row["n"]
    return spans


@st.composite
def lines(draw: st.DrawFn) -> tuple[str, str | None]:
    """Draws a row's text and the project that it names."""
    project = draw(st.sampled_from([None, "shop", "bakery", "Shop", "shop ", "default"]))
    ids = draw(st.sampled_from(IDS)) % {"number": draw(st.integers(1, 2**60))}
    spelled = "" if project is None else draw(st.sampled_from(SPELLINGS))(project)
    keys = draw(st.permutations([text for text in ('"name":"row"', ids, spelled) if text]))
    return "{" + ",".join(keys) + "}", project


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(lines(), min_size=1, max_size=6), named=st.sampled_from([None, "shop"]))
def test_rows_of_other_projects_are_refused_with_all_that_come_along(
    store: Store, rows: list[tuple[str, str | None]], named: str | None
) -> None:
    body = "\n".join(text for text, _ in rows).encode()
    before = count(store)
    if {project for _, project in rows} <= {None, "shop"}:
        report = store.insert("spans", body, named, allowed=ALLOWED)
        assert count(store) == {"shop": before.get("shop", 0) + report.rows - report.replaced}
        assert report.rows + report.duplicates == len(rows)
    else:
        with pytest.raises(ProjectForbiddenError, match="not bound to it"):
            store.insert("spans", body, named, allowed=ALLOWED)
        assert count(store) == before


def test_a_foreign_row_far_behind_keeps_the_first_ones_out_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body of many payloads is looked through before the first of them is stored."""
    monkeypatch.setattr(row_input, "_PAYLOAD_BYTES", 64)
    before = count(store)
    rows = [{"name": f"n{number}"} for number in range(50)]
    for table in ("spans", "logs"):
        with pytest.raises(ProjectForbiddenError, match="bakery"):
            store.insert(table, [*rows, {"project": "bakery"}], allowed=ALLOWED)
    assert count(store) == before
    assert store.insert("spans", rows, allowed=ALLOWED).rows == 50


def traces(*projects: str | None) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    for number, project in enumerate(projects):
        resource = request.resource_spans.add()
        if project is not None:
            pair = resource.resource.attributes.add(key="tracestore.project")
            pair.value.string_value = project
        resource.scope_spans.add().spans.add(
            trace_id=bytes(range(16)), span_id=(number + 1).to_bytes(8, "big"), name="s"
        )
    return request


def logs(*projects: str | None) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    for project in projects:
        resource = request.resource_logs.add()
        if project is not None:
            pair = resource.resource.attributes.add(key="tracestore.project")
            pair.value.string_value = project
        resource.scope_logs.add().log_records.add(time_unix_nano=1)
    return request


def as_json(request: Any) -> bytes:
    """Returns a request in OTLP's JSON, whose ids are hex."""
    is_logs = isinstance(request, ExportLogsServiceRequest)
    groups = request.resource_logs if is_logs else request.resource_spans
    named = [[pair.value.string_value for pair in each.resource.attributes] for each in groups]
    body = []
    for number, projects in enumerate(named):
        resource = {
            "attributes": [
                {"key": "tracestore.project", "value": {"stringValue": name}} for name in projects
            ]
        }
        if is_logs:
            body.append({"resource": resource, "scopeLogs": [{"logRecords": [{}]}]})
        else:
            span = {"traceId": f"{7:032x}", "spanId": f"{number + 100:016x}", "name": "s"}
            body.append({"resource": resource, "scopeSpans": [{"spans": [span]}]})
    key = "resourceLogs" if is_logs else "resourceSpans"
    return json.dumps({key: body}).encode()


@pytest.mark.parametrize("encoding", [None, "gzip"])
@pytest.mark.parametrize("kind", ["application/x-protobuf", "application/json"])
@pytest.mark.parametrize("signal", ["traces", "logs"])
@pytest.mark.parametrize(
    ("projects", "named", "allowed"),
    [
        (["bakery"], None, ALLOWED),
        (["shop", None, "bakery"], None, ALLOWED),
        ([None], "bakery", ALLOWED),
        (["shop", None], "bakery", ALLOWED),
        ([None], None, frozenset({"shop", "bakery"})),  # rows of no project are of `default`
    ],
)
def test_resources_of_other_projects_are_refused_whole(
    store: Store,
    signal: str,
    kind: str,
    encoding: str | None,
    projects: list[str | None],
    named: str | None,
    allowed: frozenset[str],
) -> None:
    request = traces(*projects) if signal == "traces" else logs(*projects)
    body = request.SerializeToString() if kind.endswith("protobuf") else as_json(request)
    body = gzip.compress(body) if encoding else body
    before = count(store)
    with pytest.raises(ProjectForbiddenError, match="not bound to it"):
        store.ingest_otlp(body, signal, kind, encoding, named, allowed=allowed)
    assert count(store) == before


def test_what_is_named_and_allowed_is_stored(tmp_path: Path) -> None:
    both = frozenset({"shop", "bakery"})
    with tracestore.open(tmp_path, background=False) as store:
        for request in (traces("shop", "bakery"), logs("shop", "bakery")):
            signal = "logs" if isinstance(request, ExportLogsServiceRequest) else "traces"
            store.ingest_otlp(request.SerializeToString(), signal, allowed=both)
        # A request's project is not asked about, where every row names its own.
        store.ingest_otlp(
            as_json(traces("shop")), "traces", "application/json", None, "else", allowed=both
        )
        store.insert("spans", [{"project": "bakery"}], "else", allowed=both)
        store.insert("spans", [{}], allowed=ALLOWED)
        assert count(store) == {"shop": 4, "bakery": 3}
