"""The rules of OTLP/JSON, one test a rule."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kernels import check, observed, reference, reference_otlp
from tracestore.errors import PayloadError
from tracestore.variant import Shredder

TRACE_ID = "5b8efff798038103d269b633813fc60c"
SPAN_ID = "eee19b7ec3c1b174"


def body(*values: Any, **fields: Any) -> bytes:
    """Returns a request of one span; `values` are AnyValues of the attributes v0, v1, ..."""
    span = {
        "traceId": TRACE_ID,
        "spanId": SPAN_ID,
        "name": "n",
        "startTimeUnixNano": "1544712660000000000",
        "endTimeUnixNano": "1544712661000000000",
        "attributes": [{"key": f"v{n}", "value": value} for n, value in enumerate(values)],
        **fields,
    }
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def shred(data: bytes) -> Any:
    shredder = Shredder(table="spans", **check.DENSE)
    report = shredder.append_otlp(data, signal="traces", content_type="application/json")
    assert report.rejected == []
    return shredder.finish()


def value(any_value: Any) -> Any:
    row = observed.rows(shred(body(any_value)))[0]
    [(name, found)] = row.items()
    return name.rpartition(":")[2], found


def test_ids_are_hex_of_either_case() -> None:
    table = shred(body(traceId=TRACE_ID.upper(), spanId=SPAN_ID.upper()))
    assert table.column("trace_id").to_pylist() == [TRACE_ID]
    assert table.column("span_id").to_pylist() == [SPAN_ID]


@pytest.mark.parametrize("spelling", ["12", 12, "-3", -3])
def test_64_bit_integers_are_strings_or_numbers(spelling: Any) -> None:
    assert value({"intValue": spelling}) == ("i64", ("i", int(spelling)))
    assert value({"intValue": str(2**63 - 1)}) == ("i64", ("i", 2**63 - 1))


@pytest.mark.parametrize("start", ["1544712660000000001", 1544712660000000001])
def test_times_keep_their_nanoseconds(start: Any) -> None:
    table = shred(body(startTimeUnixNano=start))
    assert table.column("start_ns").to_pylist() == [1544712660000000001]


def test_doubles_may_be_integers_and_names_of_no_number() -> None:
    assert value({"doubleValue": 1}) == ("f64", reference.bits(1.0))
    assert value({"doubleValue": 1.5}) == ("f64", reference.bits(1.5))
    for name in ("NaN", "Infinity", "-Infinity"):
        assert value({"doubleValue": name}) == ("f64", reference.bits(float(name)))


def test_bytes_are_base64() -> None:
    assert value({"bytesValue": "AAH/"}) == ("bin", ("bin", b"\x00\x01\xff"))


def test_lists_objects_and_empty_values() -> None:
    listed = {"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "x"}, {}]}}
    assert value(listed) == ("json[]", reference.canon([1, "x", None]))
    assert value({"arrayValue": {}}) == ("json[]", ("l", ()))
    assert value({"kvlistValue": {"values": []}}) == ("json", reference.canon({}))
    assert value({}) == ("json", ("null",))
    row = observed.rows(
        shred(body({"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": True}}]}}))
    )[0]
    assert row == {"attributes.v0.k:bool": ("b", True)}


def test_enums_are_integers() -> None:
    table = shred(body(kind=2, status={"code": 2, "message": "no"}))
    assert table.column("kind").to_pylist() == ["SERVER"]
    assert table.column("status_code").to_pylist() == ["ERROR"]


def test_enums_may_be_names_as_protobuf_spells_them() -> None:
    table = shred(body(kind="SPAN_KIND_CLIENT", status={"code": "STATUS_CODE_OK"}))
    assert table.column("kind").to_pylist() == ["CLIENT"]
    assert table.column("status_code").to_pylist() == ["OK"]
    record = {"timeUnixNano": "1", "severityNumber": "SEVERITY_NUMBER_WARN2"}
    logs = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()
    shredder = Shredder(table="logs")
    shredder.append_otlp(logs, signal="logs", content_type="application/json")
    assert shredder.finish().column("severity_number").to_pylist() == [14]


def test_unknown_fields_are_ignored() -> None:
    table = shred(body({"intValue": "1", "future": {"a": [1]}}, futureField={"x": [{"y": None}]}))
    assert table.num_rows == 1
    assert table.column("attributes.v0:i64").to_pylist() == [1]


def test_snake_case_names_are_unknown_fields() -> None:
    table = shred(body(trace_state="k=v", parent_span_id=SPAN_ID))
    assert table.column("trace_state").to_pylist() == [None]
    assert table.column("parent_span_id").to_pylist() == [None]


def test_null_is_as_if_absent() -> None:
    table = shred(body(parentSpanId=None, status=None, events=None, links=None, kind=None))
    assert table.column("parent_span_id").to_pylist() == [None]
    assert table.column("status_code").to_pylist() == ["UNSET"]


def test_fields_may_come_in_any_order() -> None:
    document = json.loads(body())
    group = document["resourceSpans"][0]
    group["resource"] = {"attributes": [{"value": {"stringValue": "late"}, "key": "service.name"}]}
    assert list(group) == ["scopeSpans", "resource"]
    table = shred(json.dumps(document).encode())
    assert table.column("service").to_pylist() == ["late"]


def test_a_bad_span_is_refused_alone() -> None:
    document = json.loads(body())
    spans = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    spans[:0] = [{**spans[0], "spanId": "12"}, {**spans[0], "traceId": "zz" * 16}]
    shredder = Shredder(table="spans", **check.DENSE)
    report = shredder.append_otlp(
        json.dumps(document).encode(), signal="traces", content_type="application/json"
    )
    assert report.rows == 1
    assert [row for row, _, _ in report.rejected] == [0, 1]


@pytest.mark.parametrize(
    "broken", [b"[", b"{", b'{"resourceSpans": [}', b"[]", b"1", b'{"resourceSpans": 1}']
)
def test_broken_framing_is_refused_whole_and_changes_nothing(broken: bytes) -> None:
    shredder = Shredder(table="spans", **check.DENSE)
    shredder.append_otlp(body({"intValue": 1}), signal="traces", content_type="application/json")
    before = observed.rows(shredder.export())
    with pytest.raises(PayloadError):
        shredder.append_otlp(broken, signal="traces", content_type="application/json")
    assert observed.rows(shredder.export()) == before


def test_a_charset_beside_the_content_type_is_accepted() -> None:
    shredder = Shredder(table="spans", **check.DENSE)
    report = shredder.append_otlp(
        body(), signal="traces", content_type="application/json; charset=utf-8"
    )
    assert report.rows == 1


def test_the_whole_document_agrees_with_the_twin() -> None:
    document = body({"stringValue": "x"}, {"doubleValue": 2}, kind=3, flags=1, traceState="a=b")
    expected = reference_otlp.shred_message(
        reference_otlp.decode_json(document, "traces"), "traces"
    )
    check.otlp_table(shred(document), "traces", expected)
