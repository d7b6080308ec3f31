"""What hostile and broken clients send: each row gets its status, and the server goes on as before."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import grpc
import httpx
import pytest
import zstandard
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from data import payloads, processes
from tracestore.limits import MAX_PAYLOAD_BYTES
from tracestore.server import Server, ServerSettings

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}
GZIP = {**PROTOBUF, "content-encoding": "gzip"}
BODY_TIMEOUT_S = 0.5


class Sent(NamedTuple):
    """One request and its outcome: the status, and for 200 how many spans are refused."""

    body: bytes
    headers: dict[str, str]
    status: int
    refused: int = 0
    path: str = "/v1/traces"
    method: str = "POST"


def span_with(**fields: Any) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.name = bytes(range(1, 17)), bytes(range(1, 9)), "work"
    span.start_time_unix_nano = 1_700_000_000_000_000_000
    span.end_time_unix_nano = 1_700_000_000_500_000_000
    for name, value in fields.items():
        if name == "attributes":
            span.attributes.extend(payloads.key_values(value))
        else:
            setattr(span, name, value)
    return request


def binary(**fields: Any) -> bytes:
    body: bytes = span_with(**fields).SerializeToString()
    return body


VALID = binary()


def document(**fields: Any) -> bytes:
    """Returns OTLP/JSON of one span, with fields of it replaced."""
    span = {
        "traceId": "0102030405060708090a0b0c0d0e0f10",
        "spanId": "0102030405060708",
        "name": "work",
        "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": "1700000000500000000",
        **fields,
    }
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def message(field: int, payload: bytes) -> bytes:
    size = b""
    left = len(payload)
    while True:
        size += bytes([left & 0x7F | (0x80 if left > 0x7F else 0)])
        left >>= 7
        if not left:
            return bytes([field << 3 | 2]) + size + payload


def nested(levels: int) -> bytes:
    """Returns an AnyValue of arrays inside one another."""
    value = b""
    for _ in range(levels):
        value = message(5, message(1, value))
    return value


def with_attribute(value: bytes) -> bytes:
    """Returns a request of one span with one attribute whose AnyValue is given as bytes."""
    span = span_with().resource_spans[0].scope_spans[0].spans[0].SerializeToString()
    span += message(9, message(1, b"a") + message(2, value))
    return message(1, message(2, message(2, span)))


def logs() -> bytes:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.time_unix_nano = 1
    record.body.string_value = "hello"
    body: bytes = request.SerializeToString()
    return body


LOGS_JSON = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}'
MEMBERS = gzip.compress(b"") * 80_000
BOMB = bytes(MAX_PAYLOAD_BYTES + 1)
ZSTD_SKIPPABLE = struct.pack("<II", 0x184D2A50, 8) + bytes(8)

TABLE: dict[str, Sent] = {
    # --- framing
    "cut by a byte": Sent(VALID[:-1], PROTOBUF, 400),
    "cut in half": Sent(VALID[: len(VALID) // 2], PROTOBUF, 400),
    "one byte": Sent(b"\x0a", PROTOBUF, 400),
    "garbage": Sent(b"\xff\xff\xff", PROTOBUF, 400),
    "a length past the end": Sent(b"\x0a\xff\xff\xff\xff\x0f", PROTOBUF, 400),
    "a varint without end": Sent(b"\x08" + b"\xff" * 20, PROTOBUF, 400),
    "field number 0": Sent(b"\x02\x00", PROTOBUF, 400),
    "wire type 7": Sent(b"\x0f", PROTOBUF, 400),
    "a group that does not end": Sent(b"\x0b", PROTOBUF, 400),
    "groups in groups": Sent(b"\x0b" * 200, PROTOBUF, 400),
    "text as protobuf": Sent(b"hello world", PROTOBUF, 400),
    "JSON said to be protobuf": Sent(document(), PROTOBUF, 400),
    "protobuf said to be JSON": Sent(VALID, JSON, 400),
    "an empty body": Sent(b"", PROTOBUF, 200),
    "an unknown field": Sent(message(15, b"x"), PROTOBUF, 200),
    # --- JSON
    "broken JSON": Sent(b"{]", JSON, 400),
    "cut JSON": Sent(document()[:-2], JSON, 400),
    "an array": Sent(b"[]", JSON, 400),
    "a number": Sent(b"5", JSON, 400),
    "null": Sent(b"null", JSON, 400),
    "two documents": Sent(b"{}{}", JSON, 400),
    "resourceSpans is a number": Sent(b'{"resourceSpans": 5}', JSON, 400),
    "scopeSpans is text": Sent(b'{"resourceSpans": [{"scopeSpans": "x"}]}', JSON, 400),
    "deep arrays": Sent(b"[" * 100_000, JSON, 400),
    "deep objects": Sent(b'{"a":' * 100_000, JSON, 400),
    "deep values": Sent(
        document(attributes="@").replace(
            b'"@"',
            b'[{"key":"a","value":' + b'{"arrayValue":{"values":[' * 2000 + b"]}}" * 2000 + b"}]",
        ),
        JSON,
        400,
    ),
    "a lone surrogate": Sent(document(name="\ud800"), JSON, 200),
    "NUL in a name": Sent(document(name="a\0b"), JSON, 200),
    "UTF-16": Sent(document().decode().encode("utf-16"), JSON, 400),
    "a byte order mark": Sent(b"\xef\xbb\xbf" + document(), JSON, 400),
    "an empty object": Sent(b"{}", JSON, 200),
    "keys in snake case": Sent(b'{"resource_spans": [{"a": 1}]}', JSON, 400),
    "charset in the type": Sent(
        document(), {"content-type": "application/json; charset=utf-8"}, 200
    ),
    "a span that is null": Sent(
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[null]}]}]}', JSON, 200, 1
    ),
    "attributes as an object": Sent(document(attributes={"a": 1}), JSON, 200),
    "an id that is a number": Sent(document(traceId=5), JSON, 200, 1),
    "an id that is no hex": Sent(document(spanId="zz02030405060708"), JSON, 200, 1),
    "a base64 id": Sent(document(traceId="AQIDBAUGBwgJCgsMDQ4PEA=="), JSON, 200, 1),
    "a kind in words": Sent(document(kind="SPAN_KIND_SERVER"), JSON, 200),
    "a kind that is a list": Sent(document(kind=[1]), JSON, 200, 1),
    "a time in words": Sent(document(startTimeUnixNano="yesterday"), JSON, 200, 1),
    "a time with a fraction": Sent(document(startTimeUnixNano="1.5"), JSON, 200, 1),
    "a negative time": Sent(document(startTimeUnixNano="-1"), JSON, 200, 1),
    "a time of 30 digits": Sent(document(startTimeUnixNano="9" * 30), JSON, 200, 1),
    # --- spans
    "no trace id": Sent(binary(trace_id=b""), PROTOBUF, 200, 1),
    "a short trace id": Sent(binary(trace_id=b"short"), PROTOBUF, 200, 1),
    "a long trace id": Sent(binary(trace_id=b"x" * 17), PROTOBUF, 200, 1),
    "a trace id of zeros": Sent(binary(trace_id=bytes(16)), PROTOBUF, 200, 1),
    "no span id": Sent(binary(span_id=b""), PROTOBUF, 200, 1),
    "a span id of zeros": Sent(binary(span_id=bytes(8)), PROTOBUF, 200, 1),
    "a short parent id": Sent(binary(parent_span_id=b"abc"), PROTOBUF, 200, 1),
    "a parent id of zeros": Sent(binary(parent_span_id=bytes(8)), PROTOBUF, 200),
    "the end before the start": Sent(binary(end_time_unix_nano=1), PROTOBUF, 200),
    "no times": Sent(binary(start_time_unix_nano=0, end_time_unix_nano=0), PROTOBUF, 200),
    "a time after 2262": Sent(binary(start_time_unix_nano=2**63), PROTOBUF, 200, 1),
    "an unknown kind": Sent(binary(kind=77), PROTOBUF, 200),
    "10,000 attributes": Sent(
        binary(attributes={f"key.{i}": i for i in range(10_000)}), PROTOBUF, 200
    ),
    "an attribute 10,000 times": Sent(
        message(1, message(2, message(2, VALID[6:] + message(9, message(1, b"a")) * 10_000))),
        PROTOBUF,
        200,
    ),
    "an empty key": Sent(binary(attributes={"": 1}), PROTOBUF, 200),
    "a key of 100 KB": Sent(binary(attributes={"k" * 100_000: 1}), PROTOBUF, 200),
    "a text of 5 MB": Sent(binary(attributes={"a": "x" * 5_000_000}), PROTOBUF, 200),
    "arrays 2,000 deep": Sent(with_attribute(nested(2000)), PROTOBUF, 200, 1),
    "a value without a kind": Sent(with_attribute(b""), PROTOBUF, 200),
    "a cut value": Sent(with_attribute(b"\x0a\x05ab"), PROTOBUF, 200, 1),
    "text that is no UTF-8": Sent(with_attribute(b"\x0a\x02\xff\xfe"), PROTOBUF, 200),
    "numbered keys far apart": Sent(
        binary(attributes={"llm.input_messages.999999.message.role": "x"}), PROTOBUF, 200
    ),
    "JSON text that is a bomb": Sent(
        binary(attributes={"gen_ai.input.messages": "[" * 1_000_000}), PROTOBUF, 200
    ),
    "the same span twice": Sent(VALID + VALID, PROTOBUF, 200),
    # --- types and encodings
    "another content type": Sent(VALID, {"content-type": "text/plain"}, 415),
    "no content type": Sent(VALID, {}, 415),
    "a form": Sent(VALID, {"content-type": "multipart/form-data; boundary=x"}, 415),
    "an unknown encoding": Sent(VALID, {**PROTOBUF, "content-encoding": "br"}, 415),
    "two encodings": Sent(VALID, {**PROTOBUF, "content-encoding": "gzip, gzip"}, 415),
    "gzip that is none": Sent(b"abc", GZIP, 400),
    "gzip that is empty": Sent(b"", GZIP, 200),
    "cut gzip": Sent(gzip.compress(VALID)[:-9], GZIP, 400),
    "gzip with a wrong sum": Sent(gzip.compress(VALID)[:-8] + bytes(8), GZIP, 400),
    "gzip and more": Sent(gzip.compress(VALID) + b"more", GZIP, 400),
    "many members of gzip": Sent(MEMBERS, GZIP, 400),
    "gzip not said": Sent(gzip.compress(VALID), PROTOBUF, 400),
    "broken zstd": Sent(b"abc", {**PROTOBUF, "content-encoding": "zstd"}, 400),
    "cut zstd": Sent(zstandard.compress(VALID)[:-3], {**PROTOBUF, "content-encoding": "zstd"}, 400),
    "broken deflate": Sent(b"abc", {**PROTOBUF, "content-encoding": "deflate"}, 400),
    "cut deflate": Sent(
        zlib.compress(VALID)[:-4], {**PROTOBUF, "content-encoding": "deflate"}, 400
    ),
    "a gzip bomb": Sent(gzip.compress(BOMB, 1), GZIP, 413),
    "a zstd bomb": Sent(zstandard.compress(BOMB), {**PROTOBUF, "content-encoding": "zstd"}, 413),
    "a deflate bomb": Sent(
        zlib.compress(BOMB, 1), {**PROTOBUF, "content-encoding": "deflate"}, 413
    ),
    "too long": Sent(BOMB, PROTOBUF, 413),
    # --- routes
    "a path that is none": Sent(VALID, PROTOBUF, 404, path="/v1/trace"),
    "a slash at the end": Sent(VALID, PROTOBUF, 200, path="/v1/traces/"),
    "GET": Sent(b"", PROTOBUF, 405, method="GET"),
    "PUT": Sent(VALID, PROTOBUF, 405, method="PUT"),
    "a project of 2,000 letters": Sent(
        VALID, {**PROTOBUF, "x-tracestore-project": "x" * 2000}, 413
    ),
    "logs sent to traces": Sent(logs(), PROTOBUF, 200, 1),
    "logs sent to traces as JSON": Sent(LOGS_JSON, JSON, 400),
    "traces sent to logs as JSON": Sent(document(), JSON, 400, path="/v1/logs"),
    "garbage sent to logs": Sent(b"\xff", PROTOBUF, 400, path="/v1/logs"),
    "metrics": Sent(b"\xff", PROTOBUF, 200, path="/v1/metrics"),
    "profiles": Sent(VALID, PROTOBUF, 404, path="/v1development/profiles"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = ServerSettings(
        data=tmp_path_factory.mktemp("malformed") / "store",
        port=0,
        grpc_port=0,
        body_timeout_s=BODY_TIMEOUT_S,
    )
    with Server(settings) as running:
        yield running


@pytest.fixture(scope="module")
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=processes.HANG_S) as client:
        yield client


def is_healthy(http: httpx.Client) -> None:
    """Asserts that the server still takes spans and answers."""
    assert http.post("/v1/traces", content=VALID, headers=PROTOBUF).status_code == 200
    answer = http.post("/api/query", json={"sql": "SELECT count(*) AS n FROM spans"})
    assert answer.status_code == 200


def test_the_table_is_long_enough() -> None:
    assert len(TABLE) >= 80


@pytest.mark.parametrize("name", TABLE)
def test_a_malformed_request_gets_its_status(http: httpx.Client, name: str) -> None:
    sent = TABLE[name]
    answer = http.request(sent.method, sent.path, content=sent.body, headers=sent.headers)
    assert answer.status_code == sent.status, answer.content
    assert "retry-after" not in answer.headers
    assert answer.headers["x-request-id"]
    is_json = sent.headers.get("content-type", "").startswith("application/json")
    if sent.status == 200 and sent.path == "/v1/traces":
        if is_json:
            partial = answer.json().get("partialSuccess", {})
            assert int(partial.get("rejectedSpans", 0)) == sent.refused, partial
        else:
            found = ExportTraceServiceResponse.FromString(answer.content).partial_success
            assert found.rejected_spans == sent.refused, found
            assert bool(found.error_message) >= bool(sent.refused)
    is_healthy(http)


def test_what_was_refused_is_not_there(http: httpx.Client) -> None:
    for _ in range(2):
        is_healthy(http)
    sql = (
        "SELECT DISTINCT count(*) FROM spans WHERE trace_id = '0102030405060708090a0b0c0d0e0f10' "
        "GROUP BY kind"
    )
    rows = http.post("/api/query", json={"sql": sql}).json()["rows"]
    assert rows == [[1]]


# --- below HTTP ----------------------------------------------------------------------------------------


def raw(server: Server, data: bytes) -> bytes:
    """Returns the first bytes that answer what is written to a connection, which is then left alone."""
    with socket.create_connection(
        ("127.0.0.1", server.http_port), timeout=processes.HANG_S
    ) as connection:
        connection.sendall(data)
        return connection.recv(65536)


HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
RAW: dict[str, tuple[bytes, bytes]] = {
    "no HTTP": (b"\x16\x03\x01hello\r\n\r\n", b"HTTP/1.1 400"),
    "a huge header": (HEAD + b"X: " + b"x" * 200_000 + b"\r\n\r\n", b"HTTP/1.1 4"),
    "ten thousand headers": (HEAD + b"X: y\r\n" * 50_000 + b"\r\n", b"HTTP/1.1 4"),
    "two lengths": (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", b"HTTP/1.1 400"),
    "a length that is no number": (HEAD + b"Content-Length: abc\r\n\r\n", b"HTTP/1.1 400"),
    "a negative length": (HEAD + b"Content-Length: -1\r\n\r\n", b"HTTP/1.1 400"),
    "both a length and chunks": (
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 400",
    ),
    "two hundred headers": (HEAD + b"X: y\r\n" * 200 + b"\r\n", b"HTTP/1.1 431"),
    "a huge length": (HEAD + b"Content-Length: 99999999999\r\n\r\nabc", b"HTTP/1.1 413"),
    "a broken chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"HTTP/1.1 4"),
    "a body that does not come": (HEAD + b"Content-Length: 500\r\n\r\n", b"HTTP/1.1 408"),
    "half a body": (HEAD + b"Content-Length: 500\r\n\r\n" + VALID[:20], b"HTTP/1.1 408"),
    "chunks that do not end": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 408",
    ),
}


@pytest.mark.parametrize("name", RAW)
def test_broken_connections_are_answered(server: Server, http: httpx.Client, name: str) -> None:
    data, begins = RAW[name]
    assert raw(server, data).startswith(begins)
    is_healthy(http)


def test_clients_that_go_away_leave_nothing(server: Server, http: httpx.Client) -> None:
    for part in (HEAD, HEAD + b"Content-Length: 500\r\n\r\n" + VALID[:20]):
        with socket.create_connection(
            ("127.0.0.1", server.http_port), timeout=processes.HANG_S
        ) as connection:
            connection.sendall(part)
    for _ in range(1000):
        # The server learns that a sender is gone when it next looks at its connection.
        is_healthy(http)
        if server.admission.bytes_in_flight == 0:
            return
    assert server.admission.bytes_in_flight == 0


# --- gRPC ----------------------------------------------------------------------------------------------

SERVICE = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (SERVICE, b"\xff\xff", grpc.StatusCode.INVALID_ARGUMENT),
        (SERVICE, VALID[:-1], grpc.StatusCode.INVALID_ARGUMENT),
        (SERVICE, BOMB, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (SERVICE.replace("Export", "Import"), VALID, grpc.StatusCode.UNIMPLEMENTED),
        (SERVICE.replace("Trace", "Profiles"), VALID, grpc.StatusCode.UNIMPLEMENTED),
    ],
)
def test_malformed_calls_get_their_code(
    server: Server, http: httpx.Client, path: str, body: bytes, code: grpc.StatusCode
) -> None:
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}", options=options) as channel:
        call = channel.unary_unary(path)
        with pytest.raises(grpc.RpcError) as caught:
            call(body, timeout=processes.HANG_S)
        assert caught.value.code() == code
        trailers = dict(caught.value.trailing_metadata() or ())
        assert "google.rpc.retryinfo-bin" not in trailers
        assert channel.unary_unary(SERVICE)(VALID, timeout=processes.HANG_S) == b""
    is_healthy(http)
