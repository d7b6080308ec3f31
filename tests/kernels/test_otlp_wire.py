"""The protobuf wire format as the specification allows it, not as one encoder writes it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from data import payloads
from kernels import check, observed, reference_otlp
from tracestore.errors import PayloadError
from tracestore.variant import Shredder

if TYPE_CHECKING:
    import pyarrow as pa

TRACE_ID = bytes(range(1, 17))
SPAN_ID = bytes(range(1, 9))
GROUP_START, GROUP_END = 3, 4


def varint(value: int, padding: int = 0) -> bytes:
    """Encodes an unsigned varint, longer than need be by `padding` bytes."""
    out = bytearray()
    while True:
        byte = value & 0x7F
        value >>= 7
        if value or padding:
            out.append(byte | 0x80)
            if not value:
                out += b"\x80" * (padding - 1) + b"\x00"
                return bytes(out)
        else:
            out.append(byte)
            return bytes(out)


def tag(number: int, wire: int) -> bytes:
    return varint(number << 3 | wire)


def message(number: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return tag(number, 2) + varint(len(body)) + body


def number64(number: int, value: int) -> bytes:
    return tag(number, 1) + struct.pack("<Q", value)


def string_value(text: str) -> bytes:
    return message(1, text.encode())


def attribute(key: str, *value: bytes) -> bytes:
    """Encodes a KeyValue's fields."""
    return message(1, key.encode()) + message(2, *value)


IDS = message(1, TRACE_ID) + message(2, SPAN_ID)


def request(*span_parts: bytes) -> bytes:
    return message(1, message(2, message(2, IDS, *span_parts)))


def shred(body: bytes) -> pa.Table:
    """Shreds a body, which the twin reads the same way."""
    expected = reference_otlp.shred_protobuf(body, "traces")
    shredder = Shredder(table="spans", **check.DENSE)
    report = shredder.append_otlp(body, signal="traces")
    check.otlp_report(report, expected)
    table = shredder.finish()
    check.otlp_table(table, "traces", expected)
    return table


def test_fields_may_come_in_any_order() -> None:
    span = message(2, IDS, message(9, attribute("a", string_value("x"))))
    resource = message(1, message(1, attribute("service.name", string_value("late"))))
    scope = message(1, message(1, b"the scope"))
    body = message(1, message(2, span, scope), resource, message(3, b"https://schema"))
    table = shred(body)
    assert table.column("service").to_pylist() == ["late"]
    assert table.column("scope_name").to_pylist() == ["the scope"]


def test_key_may_follow_its_value() -> None:
    pair = message(2, string_value("x")) + message(1, b"k")
    assert "attributes.k:str" in shred(request(message(9, pair))).column_names


@pytest.mark.parametrize(
    "unknown",
    [
        tag(1000, 0) + varint(7),
        tag(1001, 1) + bytes(8),
        message(1002, b"anything"),
        tag(1003, 5) + bytes(4),
        tag(1004, GROUP_START) + tag(1, 0) + varint(1) + tag(1004, GROUP_END),
        tag(1004, GROUP_START) + tag(2, GROUP_START) + tag(2, GROUP_END) + tag(1004, GROUP_END),
        message(2**29 - 1, b""),
    ],
    ids=["varint", "fixed64", "bytes", "fixed32", "group", "nested-group", "last-number"],
)
def test_unknown_fields_are_skipped_wherever_they_stand(unknown: bytes) -> None:
    value = unknown + string_value("x") + unknown
    span = message(2, unknown, IDS, unknown, message(9, unknown, attribute("a", value)), unknown)
    body = unknown + message(1, unknown, message(2, unknown, span, unknown), unknown) + unknown
    assert shred(body).column("attributes.a:str").to_pylist() == ["x"]


def test_a_known_number_with_another_wire_type_is_an_unknown_field() -> None:
    shred(request(tag(5, 0) + varint(3), tag(7, 2) + varint(1) + b"x", tag(6, 1) + bytes(8)))
    shred(request(tag(9, 0) + varint(3), tag(15, 0) + varint(3), tag(16, 0) + varint(9)))


def test_the_last_of_repeated_scalars_counts() -> None:
    table = shred(request(message(5, b"first"), message(5, b"last"), tag(6, 0) + varint(1),
                          tag(6, 0) + varint(3)))  # fmt: skip
    assert table.column("name").to_pylist() == ["last"]
    assert table.column("kind").to_pylist() == ["CLIENT"]


def test_repeated_singular_messages_merge() -> None:
    status = message(15, message(2, b"text")) + message(15, tag(3, 0) + varint(2))
    table = shred(request(status))
    assert table.column("status_code").to_pylist() == ["ERROR"]
    assert table.column("status_message").to_pylist() == ["text"]
    resources = [message(1, message(1, attribute(key, string_value("x")))) for key in "ab"]
    table = shred(message(1, *resources, message(2, message(2, IDS))))
    assert {"resource.a:str", "resource.b:str"} <= set(table.column_names)
    scopes = [message(1, message(1, b"one")), message(1, message(2, b"v2"))]
    table = shred(message(1, message(2, *scopes, message(2, IDS))))
    assert table.column("scope_name").to_pylist() == ["one"]
    assert table.column("scope_version").to_pylist() == ["v2"]


def test_the_last_member_of_a_value_counts() -> None:
    integer = tag(3, 0) + varint(5)
    listed = message(5, message(1, string_value("e")))
    mapped = message(6, message(1, attribute("m", integer)))
    for value in (
        string_value("x") + integer,
        integer + string_value("x"),
        mapped + integer,
        mapped + mapped,
        listed + listed,
        mapped + string_value("x") + mapped,
        listed + mapped,
        mapped + listed,
        integer + listed + integer,
        b"",
    ):
        shred(request(message(9, attribute("a", value))))
        shred(request(message(9, attribute("a", message(5, message(1, value))))))


def test_a_repeated_value_field_merges() -> None:
    mapped = [message(6, message(1, attribute(key, string_value("x")))) for key in "mn"]
    shred(request(message(9, message(1, b"a"), message(2, mapped[0]), message(2, mapped[1]))))
    shred(request(message(9, message(1, b"a"), message(2, mapped[0]), message(2, b""))))
    shred(request(message(9, message(1, b"a"), message(1, b"b"), message(2, mapped[0]))))


def test_a_key_without_value_is_null_and_a_pair_without_key_has_the_empty_key() -> None:
    table = shred(request(message(9, message(1, b"a")), message(9, message(2, string_value("x")))))
    assert {"attributes.a:json", 'attributes."":str'} <= set(table.column_names)


def test_varints_may_be_longer_than_need_be() -> None:
    for padding in (1, 4, 8):
        integer = tag(3, 0) + varint(5, padding)
        assert shred(request(message(9, attribute("a", integer)))).column(
            "attributes.a:i64"
        ).to_pylist() == [5]
    name = tag(5, 2) + varint(1, 3) + b"x"
    assert shred(request(name)).column("name").to_pylist() == ["x"]


def test_a_negative_integer_takes_ten_bytes() -> None:
    integer = tag(3, 0) + varint(2**64 - 1)
    table = shred(request(message(9, attribute("a", integer))))
    assert table.column("attributes.a:i64").to_pylist() == [-1]


def test_a_bool_is_true_for_any_varint_but_zero() -> None:
    for value in (0, 1, 2, 2**40):
        shred(request(message(9, attribute("a", tag(2, 0) + varint(value)))))


def test_numbers_wider_than_their_field_are_cut_as_protobuf_cuts_them() -> None:
    for value in (6, 2**31, 2**32 + 1, 2**63, 2**64 - 1):
        shred(request(tag(6, 0) + varint(value), tag(10, 0) + varint(value)))
        shred(request(message(15, tag(3, 0) + varint(value))))


@pytest.mark.parametrize(
    "body",
    [
        b"\x0a",
        b"\x0a\x05",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x80",
        b"\xff" * 11,
        tag(0, 0) + varint(1),
        tag(1, 6),
        tag(1, 7),
        tag(1000, GROUP_START),
        tag(1000, GROUP_END),
        tag(1000, GROUP_START) + tag(1001, GROUP_END),
        tag(1000, 1) + bytes(7),
        tag(1000, 5) + bytes(3),
        tag(1000, 2) + varint(2**63),
        message(1, b"\x12\x7f"),
        (tag(1000, GROUP_START)) * 100_000,
    ],
)
def test_broken_framing_is_refused_whole_and_changes_nothing(body: bytes) -> None:
    with pytest.raises(reference_otlp.DecodeError):
        reference_otlp.shred_protobuf(body, "traces")
    good = payloads.request("traces", 1).SerializeToString()
    shredder = Shredder(table="spans", **check.DENSE)
    shredder.append_otlp(good, signal="traces")
    before = observed.rows(shredder.export())
    for broken in (body, good + body):
        with pytest.raises(PayloadError) as caught:
            shredder.append_otlp(broken, signal="traces")
        assert 0 <= caught.value.offset <= len(broken)
        assert shredder.rows == len(before)
        assert observed.rows(shredder.export()) == before
    shredder.append_otlp(good, signal="traces")
    assert observed.rows(shredder.finish()) == before + before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("span_id", b""), ("span_id", bytes(8)), ("span_id", b"1234567"), ("span_id", bytes(16)),
        ("trace_id", b""), ("trace_id", bytes(16)), ("trace_id", b"12345678"),
        ("parent_span_id", b"123"), ("parent_span_id", b"123456789"),
        ("start_time_unix_nano", 2**63), ("end_time_unix_nano", 2**64 - 1),
    ],
)  # fmt: skip
def test_a_bad_span_is_refused_alone(name: str, value: bytes | int) -> None:
    made = payloads.request("traces", 2, rows=10)
    spans = made.resource_spans[0].scope_spans[0].spans
    setattr(spans[2], name, value)
    expected = reference_otlp.shred_message(made, "traces")
    assert expected.rejected == [2]
    check.otlp_request(made, "traces", **check.DENSE)
    shredder = Shredder(table="spans", **check.DENSE)
    body = made.SerializeToString()
    [(row, offset, reason)] = shredder.append_otlp(body, signal="traces").rejected
    assert row == 2
    assert 0 < offset < len(body)
    assert reason


def test_a_duration_may_be_longer_than_a_double_counts() -> None:
    for start, end in ((1, 2**60), (2**63 - 1, 1), (2**53 + 1, 2**54 + 3)):
        shred(request(number64(7, start), number64(8, end)))


def test_a_damaged_resource_or_scope_is_refused_though_no_span_uses_it() -> None:
    damaged = message(1, tag(2, 7) + b"e")
    for body in (message(1, damaged), message(1, message(2, damaged))):
        with pytest.raises(reference_otlp.DecodeError):
            reference_otlp.shred_protobuf(body, "traces")
        with pytest.raises(PayloadError):
            Shredder(table="spans").append_otlp(body, signal="traces")


def test_invalid_utf8_is_replaced_and_counted() -> None:
    body = request(message(5, b"n\xff"), message(9, attribute("k", message(1, b"v\xfe"))))
    shredder = Shredder(table="spans", **check.DENSE)
    report = shredder.append_otlp(body, signal="traces")
    assert (report.rows, report.repaired_strings) == (1, 2)
    table = shredder.finish()
    assert table.column("name").to_pylist() == ["n\ufffd"]
    assert table.column("attributes.k:str").to_pylist() == ["v\ufffd"]


def test_values_nested_without_end_are_refused_not_followed() -> None:
    value = string_value("x")
    for _ in range(5000):
        value = message(5, message(1, value))
    shredder = Shredder(table="spans")
    try:
        report = shredder.append_otlp(request(message(9, attribute("a", value))), signal="traces")
    except PayloadError:
        assert shredder.rows == 0
    else:
        assert report.rows == 0
        assert len(report.rejected) == 1
