"""Real OTLP payloads: equal to the twin, equal in both encodings, and whole after Parquet."""

from __future__ import annotations

import contextlib
from itertools import islice
from typing import Any

import pytest
from google.protobuf.message import DecodeError

from data import shared
from kernels import check, observed, reference, reference_otlp
from tracestore.errors import PayloadError
from tracestore.variant import Shredder, unshred

REQUESTS = shared.names("otlp/*/*.pbs.zst")
EXAMPLES = shared.names("otlp/otlp-proto-examples/examples/*.json")
OLD = shared.names("otlp/husky-otlp07/**/*.binpb")
# The twin is slow: it looks at every nth request, our own two readers at all of them.
TWIN_EVERY = 5


def bodies(name: str) -> list[bytes]:
    return list(shared.requests(shared.require(name)))


def build(parts: list[bytes], encoding: str) -> Any:
    shredder = Shredder(table="spans")
    for body in parts:
        shredder.append_otlp(body, signal="traces", content_type=check.CONTENT_TYPES[encoding])
    return shredder.finish()


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_agree_with_the_twin(name: str) -> None:
    shredder = Shredder(table="spans", **check.DENSE)
    expected = reference_otlp.Shredded()
    for body in islice(bodies(name), 0, None, TWIN_EVERY):
        report = shredder.append_otlp(body, signal="traces")
        one = reference_otlp.shred_protobuf(body, "traces")
        check.otlp_report(report, one)
        expected.fixed += one.fixed
        expected.leaves += one.leaves
    table = shredder.finish()
    assert table.num_rows == len(expected.fixed) > 0
    check.otlp_table(table, "traces", expected)
    check.otlp_table(check.through_parquet(table), "traces", expected)


@pytest.mark.parametrize("name", REQUESTS)
def test_both_encodings_give_the_same_columns(name: str) -> None:
    protobuf = build(bodies(name), "protobuf")
    text = shared.read(shared.require(name.replace(".pbs.zst", ".jsonl.zst")))
    from_json = build(text.splitlines(), "json")
    assert from_json.schema == protobuf.schema
    for column in protobuf.column_names:
        assert from_json.column(column).equals(protobuf.column(column)), column


@pytest.mark.parametrize("name", REQUESTS)
def test_attributes_come_back(name: str) -> None:
    parts = bodies(name)[:200]
    lines = observed.json_lines(unshred(build(parts, "protobuf"), "attributes"))
    wanted = [
        reference.canon(reference_otlp.attributes(span.attributes) or None)
        for body in parts
        for group in reference_otlp.decode(body, "traces").resource_spans
        for scoped in group.scope_spans
        for span in scoped.spans
    ]
    assert lines == wanted


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_the_specification_agree_with_the_twin(name: str) -> None:
    body = shared.require(name).read_bytes()
    signal = "logs" if "logs" in name else "traces"
    if b"resourceMetrics" in body:
        pytest.skip("metrics are not stored")
    if b"eventName" in body and b"resourceLogs" in body:
        signal = "logs"
    expected = reference_otlp.shred_message(reference_otlp.decode_json(body, signal), signal)
    shredder = Shredder(table="spans" if signal == "traces" else "logs", **check.DENSE)
    report = shredder.append_otlp(body, signal=signal, content_type="application/json")
    check.otlp_report(report, expected)
    check.otlp_table(shredder.finish(), signal, expected)


@pytest.mark.parametrize("name", OLD)
def test_payloads_of_another_signal_are_read_as_protobuf_reads_them_or_refused(name: str) -> None:
    body = shared.require(name).read_bytes()
    shredder = Shredder(table="spans", **check.DENSE)
    try:
        expected = reference_otlp.shred_protobuf(body, "traces")
    except DecodeError:
        # protobuf also refuses a whole message for one string of invalid UTF-8; we repair it.
        with contextlib.suppress(PayloadError):
            shredder.append_otlp(body, signal="traces")
        shredder.finish().validate(full=True)
        return
    check.otlp_report(shredder.append_otlp(body, signal="traces"), expected)
    check.otlp_table(shredder.finish(), "traces", expected)
