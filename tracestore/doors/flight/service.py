"""Flight SQL's calls: what each of them asks. Statements are asked of the API with the caller's own key."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from tracestore.doors.flight import catalog, messages
from tracestore.doors.flight.asking import Answer, RefusedError
from tracestore.doors.flight.frames import (
    flight_data,
    schema_bytes,
    stream_bytes,
    table_data,
)
from tracestore.doors.flight.messages import UnreadableError, make, packed, read, unpacked
from tracestore.doors.flight.statements import (
    HANDLE_BYTES,
    PreparedStatements,
    RunningStatements,
    parameters_of,
    placeholders,
)

MAX_TIMEOUT_S: Final = 600.0
"""Seconds that a statement may take: what the API allows at most, since answers are read as they come."""

MAX_PARAMETER_BYTES: Final = 1024 * 1024
"""Of the parameters of one statement; the API takes a request of four times as many."""

MAX_QUERY_CHARACTERS: Final = 1_000_000
MAX_PATTERN_CHARACTERS: Final = 256
MAX_PARAMETERS: Final = 10_000

ACTIONS: Final = {
    "CreatePreparedStatement": "prepares a statement",
    "ClosePreparedStatement": "forgets a prepared statement",
    "CancelFlightInfo": "ends a statement",
    "CancelQuery": "ends a statement",
}

_NO_PARAMETERS: Final = b"null"

_TELLS: Final = re.compile(r"\s*(DESCRIBE|SHOW|EXPLAIN(?!\s+ANALYZE))\b", re.IGNORECASE)
"""Statements that read no rows: they cannot stand inside of another."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    Attributes:
        name: of the key, empty where nobody is asked for one.
        headers: of the call, which the API is asked with.
        client: the address.
    """

    name: str
    headers: Mapping[str, str]
    client: str


Open = Callable[[Caller, Mapping[str, Any]], Answer]
"""Asks the API one statement."""


class FlightSql:
    """What the calls do; without gRPC, so that errors are exceptions and messages are bytes.

    Args:
        ask: has the API answer a statement.
    """

    def __init__(self, ask: Open) -> None:
        self._open = ask
        self._prepared = PreparedStatements()
        self._running = RunningStatements()

    def get_flight_info(self, caller: Caller, data: bytes) -> bytes:
        """Returns where the answer of a command is: here, under a ticket that says all there is to know."""
        descriptor = read("FlightDescriptor", data)
        name, command = unpacked(descriptor.cmd)
        schema = b""
        if name in {"CommandStatementQuery", "CommandPreparedStatementQuery"}:
            query, parameters = self._text(caller, name, command)
            statement = make(
                "Statement",
                number=secrets.token_bytes(HANDLE_BYTES),
                query=query,
                parameters=parameters,
            )
            held = make("TicketStatementQuery", statement_handle=statement.SerializeToString())
            ticket = packed(held)
        else:
            # A table of the catalog is small: it is made to learn its schema, and made again when it is asked for.
            schema = schema_bytes(self._table(caller, name, command).schema)
            ticket = descriptor.cmd
        endpoint = make("FlightEndpoint", ticket=make("Ticket", ticket=ticket))
        info = make(
            "FlightInfo",
            schema=schema,
            flight_descriptor=descriptor,
            endpoint=[endpoint],
            total_records=-1,
            total_bytes=-1,
            ordered=True,
        )
        return _bytes(info)

    def get_schema(self, caller: Caller, data: bytes) -> bytes:
        """Returns the schema of a command's answer."""
        name, command = unpacked(read("FlightDescriptor", data).cmd)
        if name in {"CommandStatementQuery", "CommandPreparedStatementQuery"}:
            query, _ = self._text(caller, name, command)
            schema = self._schema(caller, query, placeholders(query))
        else:
            schema = self._table(caller, name, command).schema
        return _bytes(make("SchemaResult", schema=schema_bytes(schema)))

    def do_get(self, caller: Caller, data: bytes, on_end: Callable[[Any], None]) -> Iterator[bytes]:
        """Yields the answer under a ticket as FlightData.

        Args:
            caller: who asks.
            data: the ticket.
            on_end: is given what ends the answer, to be called where the caller goes away.
        """
        name, command = unpacked(read("Ticket", data).ticket)
        if name != "TicketStatementQuery":
            yield from table_data(self._table(caller, name, command))
            return
        statement = read("Statement", command.statement_handle)
        with (
            self._open(caller, _body(statement.query, statement.parameters)) as answer,
            self._running.running(caller.name, statement.number, answer.close),
        ):
            on_end(answer.close)
            yield from flight_data(iter(answer))

    def do_put(self, caller: Caller, data: Iterator[bytes]) -> Iterator[bytes]:
        """Takes the parameters of a prepared statement; yields that it did."""
        sent = (read("FlightData", each) for each in data)
        first = next(sent, None)
        if first is None:
            raise UnreadableError("cannot take parameters: nothing was sent")
        name, command = unpacked(first.flight_descriptor.cmd)
        if name != "CommandPreparedStatementQuery":
            raise UnreadableError(f"cannot take {name}: only parameters of statements that read")
        handle = command.prepared_statement_handle
        query = self._prepared.get(caller.name, handle).query
        stream = stream_bytes(_chained(first, sent), MAX_PARAMETER_BYTES)
        self._prepared.bind(caller.name, handle, parameters_of(stream, query))
        result = make("DoPutPreparedStatementResult", prepared_statement_handle=handle)
        yield _bytes(make("PutResult", app_metadata=result.SerializeToString()))

    def do_action(self, caller: Caller, data: bytes) -> Iterator[bytes]:
        """Does one of ACTIONS; yields its results."""
        action = read("Action", data)
        if action.type == "CreatePreparedStatement":
            yield _result(self._prepare(caller, unpacked(action.body)[1]))
        elif action.type == "ClosePreparedStatement":
            handle = unpacked(action.body)[1].prepared_statement_handle
            self._prepared.close(caller.name, handle)
        elif action.type == "CancelFlightInfo":
            info = read("CancelFlightInfoRequest", action.body).info
            status = make("CancelFlightInfoResult", status=self._cancel(caller, info))
            yield _bytes(make("Result", body=_bytes(status)))
        elif action.type == "CancelQuery":
            info = read("FlightInfo", unpacked(action.body)[1].info)
            yield _result(make("ActionCancelQueryResult", result=self._cancel(caller, info)))
        else:
            raise UnreadableError(
                f"cannot do {action.type[:200]!r}; there is {', '.join(sorted(ACTIONS))}"
            )

    def list_actions(self) -> Iterator[bytes]:
        """Yields what `do_action` can do."""
        for name, description in ACTIONS.items():
            yield _bytes(make("ActionType", type=name, description=description))

    def _prepare(self, caller: Caller, request: Any) -> Any:
        query = _checked(request.query)
        names = placeholders(query)
        if len(names) > MAX_PARAMETERS:
            raise UnreadableError(
                f"cannot prepare: the statement has more than {MAX_PARAMETERS} parameters"
            )
        try:
            schema = schema_bytes(self._schema(caller, query, names))
        except RefusedError:
            # Running it tells what is wrong.
            schema = b""
        # What types they have, the values say; drivers that want one before take them as texts.
        parameters = pa.schema([(name, pa.string()) for name in names])
        return make(
            "ActionCreatePreparedStatementResult",
            prepared_statement_handle=self._prepared.add(caller.name, query),
            dataset_schema=schema,
            parameter_schema=schema_bytes(parameters),
        )

    def _schema(self, caller: Caller, query: str, names: list[str]) -> pa.Schema:
        """Returns the schema of a statement's answer, whose parameters have no values yet."""
        asked = query if _TELLS.match(query) else _empty(query)
        positions = all(name.isdigit() for name in names)
        nulls = [None] * len(names) if positions else dict.fromkeys(names)
        return self._asked(caller, asked, json.dumps(nulls if names else None).encode()).schema

    def _cancel(self, caller: Caller, info: Any) -> int:
        """Returns what became of the statements that a plan names."""
        ended = False
        for endpoint in info.endpoint:
            name, command = unpacked(endpoint.ticket.ticket)
            if name == "TicketStatementQuery":
                number = read("Statement", command.statement_handle).number
                ended |= self._running.cancel(caller.name, number)
        return messages.CANCELLED if ended else messages.NOT_CANCELLABLE

    def _text(self, caller: Caller, name: str, command: Any) -> tuple[str, bytes]:
        """Returns the text and the parameters of a command that is a statement."""
        if name == "CommandStatementQuery":
            return _checked(command.query), b""
        found = self._prepared.get(caller.name, command.prepared_statement_handle)
        return found.query, found.parameters

    def _table(self, caller: Caller, name: str, command: Any) -> pa.Table:
        """Returns the answer of a command that asks for the catalog."""

        def ask(sql: str) -> pa.Table:
            return self._asked(caller, sql, b"")

        if name == "CommandGetDbSchemas":
            _bounded(command.db_schema_filter_pattern)
            return catalog.schemas(command)
        if name == "CommandGetTables":
            _bounded(command.db_schema_filter_pattern + command.table_name_filter_pattern)
            return catalog.tables(command, ask)
        made: dict[str, Callable[[], pa.Table]] = {
            "CommandGetSqlInfo": lambda: catalog.sql_info(command.info),
            "CommandGetXdbcTypeInfo": lambda: catalog.xdbc_types(command.data_type),
            "CommandGetCatalogs": catalog.catalogs,
            "CommandGetTableTypes": catalog.table_types,
            "CommandGetPrimaryKeys": catalog.keys,
            "CommandGetExportedKeys": catalog.references,
            "CommandGetImportedKeys": catalog.references,
            "CommandGetCrossReference": catalog.references,
        }
        if name not in made:
            raise UnreadableError(f"cannot answer {name}: it is no command that reads")
        return made[name]()

    def _asked(self, caller: Caller, query: str, parameters: bytes) -> pa.Table:
        """Returns the whole answer of a statement that has a short one."""
        with self._open(caller, _body(query, parameters)) as answer:
            data = b"".join(answer)
        with pa.ipc.open_stream(data) as reader:
            return reader.read_all()


def _body(query: str, parameters: bytes) -> dict[str, Any]:
    """Returns a statement as the API takes it."""
    try:
        params = json.loads(parameters or _NO_PARAMETERS)
    except ValueError:
        raise UnreadableError("cannot read the ticket: it is none of this server's") from None
    return {"sql": query, "params": params, "timeout_s": MAX_TIMEOUT_S}


def _empty(query: str) -> str:
    """Returns a statement with the columns of another, and no row."""
    return f"SELECT * FROM ({query.rstrip().rstrip(';')}) LIMIT 0"  # noqa: S608 - checked like a user's


def _checked(query: str) -> str:
    if len(query) > MAX_QUERY_CHARACTERS:
        raise UnreadableError(
            f"cannot run query: it has more than {MAX_QUERY_CHARACTERS} characters"
        )
    return query


def _bounded(pattern: str) -> None:
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        raise UnreadableError(
            f"cannot list tables: the pattern has more than {MAX_PATTERN_CHARACTERS} characters"
        )


def _chained(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _result(message: Any) -> bytes:
    return _bytes(make("Result", body=packed(message)))


def _bytes(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data
