"""What a stranger may do over Flight SQL: nothing without a key, their own projects with one, within bounds."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from typing import Any

import adbc_driver_flightsql
import adbc_driver_flightsql.dbapi as flight
import grpc
import pyarrow as pa
import pytest

import tracestore
from data import processes
from security.conftest import spans_of
from security.hostile import TEXTS
from tracestore.doors.flight.frames import flight_data, schema_bytes
from tracestore.doors.flight.messages import SQL, make, packed, read
from tracestore.doors.flight.statements import placeholders
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing

AUTHORIZATION = adbc_driver_flightsql.DatabaseOptions.AUTHORIZATION_HEADER.value
METHODS = {
    "GetFlightInfo": "unary_unary",
    "GetSchema": "unary_unary",
    "DoGet": "unary_stream",
    "DoAction": "unary_stream",
    "ListActions": "unary_stream",
    "ListFlights": "unary_stream",
    "DoPut": "stream_stream",
    "Handshake": "stream_stream",
}
CODES = grpc.StatusCode


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str, str, str]]:
    """Gives a server of projects A and B, keys that read A and B, and one that sends alone."""
    folder = tmp_path_factory.mktemp("flight") / "store"
    tracestore.open(folder, background=False).close()
    ring = KeyRing(folder)
    a = ring.create("a", ("read",), ("A",))[1]
    b = ring.create("b", ("read",), ("B",))[1]
    sender = ring.create("sender", ("ingest",))[1]
    ring.close()
    settings = ServerSettings(
        data=folder, port=0, grpc_port=-1, flight_port=0, require_keys=True, body_timeout_s=2.0
    )
    with Server(settings) as server:
        for project in "AB":
            server.store.insert("spans", spans_of(project), project=project)
        yield server, a, b, sender


def called(server: Server, method: str, body: Any, key: str | None) -> list[bytes]:
    """Returns the messages that a call answers with; `body` is a message, or a list of them."""
    kind = METHODS[method]
    with grpc.insecure_channel(f"127.0.0.1:{server.flight_port}") as channel:
        call = getattr(channel, kind)(f"/arrow.flight.protocol.FlightService/{method}")
        sent = iter(body if isinstance(body, list) else [body]) if kind == "stream_stream" else body
        metadata = [] if key is None else [("authorization", f"Bearer {key}")]
        answer = call(sent, metadata=metadata, timeout=processes.HANG_S)
        return [answer] if kind == "unary_unary" else list(answer)


def code_of(server: Server, method: str, body: Any, key: str | None) -> grpc.StatusCode:
    try:
        called(server, method, body, key)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return CODES.OK


def descriptor(command: str, **fields: Any) -> bytes:
    message = make("FlightDescriptor", type=2, cmd=packed(make(command, **fields)))
    data: bytes = message.SerializeToString()
    return data


def ticket(query: str, number: bytes = b"n") -> bytes:
    statement = make("Statement", number=number, query=query)
    held = make("TicketStatementQuery", statement_handle=statement.SerializeToString())
    data: bytes = make("Ticket", ticket=packed(held)).SerializeToString()
    return data


def action(kind: str, message: Any) -> bytes:
    data: bytes = make("Action", type=kind, body=packed(message)).SerializeToString()
    return data


def prepared(server: Server, query: str, key: str) -> bytes:
    request = make("ActionCreatePreparedStatementRequest", query=query)
    [answer] = called(server, "DoAction", action("CreatePreparedStatement", request), key)
    wrapped = read("Result", answer).body
    from tracestore.doors.flight.messages import unpacked

    handle: bytes = unpacked(wrapped)[1].prepared_statement_handle
    return handle


@pytest.mark.parametrize("method", METHODS)
def test_no_call_is_answered_without_a_key_that_may_read(
    keyed: tuple[Server, str, str, str], method: str
) -> None:
    server, _, _, sender = keyed
    body = [b""] if METHODS[method] == "stream_stream" else b""
    assert code_of(server, method, body, None) is CODES.UNAUTHENTICATED
    assert code_of(server, method, body, "wrong") is CODES.UNAUTHENTICATED
    assert code_of(server, method, body, sender) is CODES.PERMISSION_DENIED


def test_a_key_reads_its_own_projects(keyed: tuple[Server, str, str, str]) -> None:
    server, a, _, _ = keyed
    with flight.connect(
        f"grpc://127.0.0.1:{server.flight_port}",
        db_kwargs={AUTHORIZATION: f"Bearer {a}"},
        autocommit=True,
    ) as connection:
        cursor = connection.cursor()
        for sql in (
            "SELECT DISTINCT project FROM spans",
            "SELECT DISTINCT project FROM spans WHERE project IN ('A', 'B')",
        ):
            cursor.execute(sql)
            assert cursor.fetchall() == [("A",)]
        cursor.execute("SELECT path FROM paths")
        assert "only_B" not in str(cursor.fetchall())
        cursor.close()


def test_a_pair_of_keys_logs_in(keyed: tuple[Server, str, str, str]) -> None:
    server, a, _, _ = keyed
    pair = base64.b64encode(f"anything:{a}".encode()).decode()
    with grpc.insecure_channel(f"127.0.0.1:{server.flight_port}") as channel:
        call = channel.stream_stream("/arrow.flight.protocol.FlightService/Handshake")(
            iter([b""]), metadata=[("authorization", f"Basic {pair}")], timeout=processes.HANG_S
        )
        assert dict(call.initial_metadata())["authorization"] == f"Bearer {a}"
        assert list(call) == []


def test_a_driver_logs_in_with_a_name_and_the_key_as_password(
    keyed: tuple[Server, str, str, str],
) -> None:
    server, a, _, _ = keyed
    uri = f"grpc://127.0.0.1:{server.flight_port}"
    pair = {"username": "anything", "password": a}
    with (
        flight.connect(uri, db_kwargs=pair, autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT DISTINCT project FROM spans")
        assert cursor.fetchall() == [("A",)]
    with pytest.raises(flight.Error):
        flight.connect(uri, db_kwargs={**pair, "password": "wrong"}, autocommit=True)


def test_a_prepared_statement_is_its_owners(keyed: tuple[Server, str, str, str]) -> None:
    server, a, b, _ = keyed
    handle = prepared(server, "SELECT name FROM spans WHERE name = ?", a)
    command = descriptor("CommandPreparedStatementQuery", prepared_statement_handle=handle)
    assert code_of(server, "GetFlightInfo", command, a) is CODES.OK
    assert code_of(server, "GetFlightInfo", command, b) is CODES.INVALID_ARGUMENT
    close = make("ActionClosePreparedStatementRequest", prepared_statement_handle=handle)
    assert code_of(server, "DoAction", action("ClosePreparedStatement", close), b) is CODES.OK
    assert code_of(server, "GetFlightInfo", command, a) is CODES.OK
    assert code_of(server, "DoAction", action("ClosePreparedStatement", close), a) is CODES.OK
    assert code_of(server, "GetFlightInfo", command, a) is CODES.INVALID_ARGUMENT


def test_another_callers_ticket_gives_what_ones_own_key_may_read(
    keyed: tuple[Server, str, str, str],
) -> None:
    server, a, b, _ = keyed
    [answer] = called(
        server,
        "GetFlightInfo",
        descriptor("CommandStatementQuery", query="SELECT name FROM spans"),
        a,
    )
    given = read("FlightInfo", answer).endpoint[0].ticket.SerializeToString()
    rows = b"".join(called(server, "DoGet", given, b))
    assert b"B span" in rows and b"A span" not in rows


@pytest.mark.parametrize("text", TEXTS)
def test_hostile_texts_are_refused_or_are_values(
    keyed: tuple[Server, str, str, str], text: str
) -> None:
    server, a, _, _ = keyed
    allowed = {CODES.OK, CODES.INVALID_ARGUMENT, CODES.PERMISSION_DENIED, CODES.RESOURCE_EXHAUSTED}
    assert code_of(server, "DoGet", ticket(text), a) in allowed
    tables = descriptor("CommandGetTables", table_name_filter_pattern=text, include_schema=True)
    assert code_of(server, "GetFlightInfo", tables, a) in allowed
    unknown = make("FlightDescriptor", type=1, path=[text]).SerializeToString()
    assert code_of(server, "GetFlightInfo", unknown, a) is CODES.INVALID_ARGUMENT


def test_drawn_bytes_are_refused_with_a_status_of_the_protocol(
    keyed: tuple[Server, str, str, str],
) -> None:
    server, a, _, _ = keyed
    chance = random.Random(4)
    good = [descriptor("CommandStatementQuery", query="SELECT 1"), ticket("SELECT 1")]
    for _ in range(150):
        data = bytearray(chance.choice([*good, chance.randbytes(chance.randint(0, 60))]))
        for _ in range(chance.randint(1, 4)):
            if data:
                data[chance.randrange(len(data))] = chance.randrange(256)
        method = chance.choice(["GetFlightInfo", "GetSchema", "DoGet", "DoAction", "DoPut"])
        body = [bytes(data)] if method == "DoPut" else bytes(data)
        assert code_of(server, method, body, a) not in {CODES.UNKNOWN, CODES.INTERNAL}, bytes(data)


def test_what_is_too_large_is_refused(keyed: tuple[Server, str, str, str]) -> None:
    server, a, _, _ = keyed
    message = descriptor("CommandStatementQuery", query="SELECT '" + "x" * 5_000_000 + "'")
    assert code_of(server, "GetFlightInfo", message, a) is CODES.RESOURCE_EXHAUSTED
    text = descriptor("CommandStatementQuery", query="SELECT '" + "x" * 1_000_001 + "'")
    assert code_of(server, "GetFlightInfo", text, a) is CODES.INVALID_ARGUMENT
    pattern = descriptor("CommandGetTables", table_name_filter_pattern="%a" * 300)
    assert code_of(server, "GetFlightInfo", pattern, a) is CODES.INVALID_ARGUMENT
    handle = prepared(server, "SELECT ?", a)
    assert (
        code_of(server, "DoPut", put(handle, [["x" * 900_000], ["y" * 900_000]]), a)
        is CODES.INVALID_ARGUMENT
    )
    assert code_of(server, "DoPut", put(handle, [["x"] * 5]), a) is CODES.INVALID_ARGUMENT
    assert code_of(server, "DoPut", put(handle, [["x"]]), a) is CODES.OK


def put(handle: bytes, columns: list[list[str]]) -> list[bytes]:
    """Returns the messages that bind parameters."""
    table = pa.table({str(number): column for number, column in enumerate(columns)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    messages = list(flight_data(iter([sink.getvalue().to_pybytes()])))
    command = make("CommandPreparedStatementQuery", prepared_statement_handle=handle)
    first = read("FlightData", messages[0])
    first.flight_descriptor.type = 2
    first.flight_descriptor.cmd = packed(command)
    return [first.SerializeToString(), *messages[1:]]


def test_a_message_that_never_comes_ends_its_call(keyed: tuple[Server, str, str, str]) -> None:
    server, a, _, _ = keyed
    with grpc.insecure_channel(f"127.0.0.1:{server.flight_port}") as channel:
        import threading

        never = threading.Event()

        def nothing() -> Iterator[bytes]:
            never.wait(processes.HANG_S)
            yield b""

        call = channel.stream_stream("/arrow.flight.protocol.FlightService/DoPut")(
            nothing(), metadata=[("authorization", f"Bearer {a}")], timeout=processes.HANG_S
        )
        try:
            with pytest.raises(grpc.RpcError) as caught:
                list(call)
        finally:
            never.set()
        assert caught.value.code() in {CODES.CANCELLED, CODES.UNKNOWN}


def test_prepared_statements_are_bounded() -> None:
    from tracestore.doors.flight.statements import (
        MAX_PREPARED,
        MAX_PREPARED_BYTES,
        PreparedStatements,
    )

    kept = PreparedStatements()
    handles = [kept.add("a", "SELECT 1") for _ in range(MAX_PREPARED + 5)]
    with pytest.raises(ValueError, match="prepare it again"):
        kept.get("a", handles[0])
    assert kept.get("a", handles[-1]).query == "SELECT 1"
    for _ in range(MAX_PREPARED_BYTES // 1_000_000 + 2):
        last = kept.add("a", "x" * 1_000_000)
    assert kept._bytes <= MAX_PREPARED_BYTES
    assert kept.get("a", last).owner == "a"


@pytest.mark.parametrize("piece", ["/*", "'", '"', "--", "?", "$x", "'/*", "''\"", "$", "*/", "-"])
def test_looking_for_parameters_takes_linear_time(piece: str) -> None:
    # A million characters; the square of it would not end.
    assert len(placeholders(piece * (1_000_000 // len(piece)))) <= 1_000_000
    assert placeholders(f"SELECT ? {piece}") == (
        ["1", "2"] if piece == "?" else ["1", "x"] if piece == "$x" else ["1"]
    )


def test_the_names_of_commands_are_the_protocols() -> None:
    assert make("CommandStatementQuery").DESCRIPTOR.full_name == f"{SQL}.CommandStatementQuery"
    assert pa.ipc.read_schema(pa.py_buffer(schema_bytes(pa.schema([("a", pa.int64())])))).names == [
        "a"
    ]
