"""OTLP requests, in protobuf and in JSON, against the twin on opentelemetry-proto."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import payloads
from kernels import check, observed, reference, reference_otlp, strategies
from tracestore.variant import Shredder, otlp_projects, unshred

SIGNALS = pytest.mark.parametrize("signal", ["traces", "logs"])
OPTIONS = pytest.mark.parametrize(
    "options", [check.DENSE, check.DEFAULTS], ids=["all-columns", "defaults"]
)


def table_name(signal: str) -> str:
    return "spans" if signal == "traces" else "logs"


@SIGNALS
@OPTIONS
@pytest.mark.parametrize("odd", [False, True], ids=["usual", "odd"])
def test_made_requests_shred_like_the_twin(signal: str, options: dict[str, Any], odd: bool) -> None:
    for seed in range(12):
        request = payloads.request(signal, seed, rows=30, odd=odd)
        check.otlp_request(request, signal, **options)


@SIGNALS
@given(data=st.data())
def test_any_request_shreds_like_the_twin(signal: str, data: st.DataObject) -> None:
    request = data.draw(strategies.requests(signal))
    check.otlp_request(request, signal, **check.DENSE)


@SIGNALS
def test_both_encodings_give_equal_tables(signal: str) -> None:
    request = payloads.request(signal, 3, rows=200)
    tables = []
    for content_type, body in (
        ("application/x-protobuf", request.SerializeToString()),
        ("application/json", reference_otlp.encode_json(request)),
    ):
        shredder = Shredder(table=table_name(signal))
        shredder.append_otlp(body, signal=signal, content_type=content_type)
        tables.append(shredder.finish())
    assert tables[0].equals(tables[1])


@SIGNALS
def test_rows_survive_parquet_and_a_second_shredding(signal: str) -> None:
    request = payloads.request(signal, 5, rows=60, odd=True)
    expected = reference_otlp.shred_message(request, signal)
    shredder = Shredder(table=table_name(signal))
    shredder.append_otlp(request.SerializeToString(), signal=signal)
    stored = check.through_parquet(shredder.finish())
    again = Shredder(table=table_name(signal))
    assert again.append_table(stored) == len(expected.fixed)
    check.otlp_table(again.finish(), signal, expected)


@SIGNALS
def test_attributes_come_back_as_one_object(signal: str) -> None:
    request = payloads.request(signal, 6, rows=40, odd=True)
    shredder = Shredder(table=table_name(signal))
    shredder.append_otlp(request.SerializeToString(), signal=signal)
    lines = observed.json_lines(unshred(shredder.finish(), "attributes"))
    groups = request.resource_spans if signal == "traces" else request.resource_logs
    kept = set(reference_otlp.shred_message(request, signal).rejected)
    rows = [
        row
        for group in groups
        for scoped in (group.scope_spans if signal == "traces" else group.scope_logs)
        for row in (scoped.spans if signal == "traces" else scoped.log_records)
    ]
    wanted = [
        reference_otlp.attributes(row.attributes) or None
        for number, row in enumerate(rows)
        if number not in kept
    ]
    assert lines == [reference.canon(value) for value in wanted]


@SIGNALS
@pytest.mark.parametrize(
    ("named", "wanted"),
    [
        ({"openinference.project.name": "shop"}, "shop"),
        ({"openinference.project.name": "default"}, "given"),
        ({"tracestore.project": "ours", "openinference.project.name": "shop"}, "ours"),
    ],
)
def test_a_project_of_openinference(signal: str, named: dict[str, str], wanted: str) -> None:
    request = payloads.request(signal, 8, rows=3)
    group = (request.resource_spans if signal == "traces" else request.resource_logs)[0]
    group.resource.attributes.extend(payloads.key_values(named))
    body = request.SerializeToString()
    shredder = Shredder(table=table_name(signal))
    shredder.append_otlp(body, signal=signal, project="given")
    assert set(shredder.finish().column("project").to_pylist()) == {wanted}
    assert otlp_projects(body, signal=signal, default="given") == [wanted]


@SIGNALS
def test_routing_resolves_projects(signal: str) -> None:
    request = payloads.request(signal, 8, rows=20)
    group = (request.resource_spans if signal == "traces" else request.resource_logs)[0]
    routed = payloads.key_values({"tracestore.project": "shop", "tracestore.experiment": "e1"})
    group.resource.attributes.extend(routed)
    body = request.SerializeToString()
    expected = reference_otlp.shred_message(request, signal, project="given", experiment="e0")
    shredder = Shredder(table=table_name(signal))
    shredder.append_otlp(body, signal=signal, project="given", experiment="e0")
    check.otlp_table(shredder.finish(), signal, expected)
    for only in ("shop", "given", "other"):
        report = shredder.append_otlp(
            body, signal=signal, project="given", experiment="e0", only_project=only
        )
        rows = [row for row in expected.fixed if row["project"] == only]
        assert report.rows == len(rows)
        table = shredder.finish()
        assert set(table.column("project").to_pylist()) <= {only}


@SIGNALS
def test_an_empty_body_is_an_empty_request(signal: str) -> None:
    for content_type, body in (
        ("application/x-protobuf", b""),
        ("application/json", b""),
        ("application/json", b"{}"),
    ):
        shredder = Shredder(table=table_name(signal))
        report = shredder.append_otlp(body, signal=signal, content_type=content_type)
        assert (report.rows, report.rejected) == (0, [])
        assert shredder.finish().num_rows == 0
