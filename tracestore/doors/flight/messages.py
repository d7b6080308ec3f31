"""The messages of Arrow Flight and Flight SQL, described field by field; the protocol's own numbers.

The descriptions live in a pool of their own, so that another library in the process may have its own.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2
from google.protobuf.message import DecodeError, Message

FLIGHT: Final = "arrow.flight.protocol"
SQL: Final = "arrow.flight.protocol.sql"
ANY_PREFIX: Final = "type.googleapis.com/"

CANCELLED: Final = 1
NOT_CANCELLABLE: Final = 3
"""Values of CancelStatus; those of CancelResult are the same."""

_TYPES: Final = {
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "uint32": descriptor_pb2.FieldDescriptorProto.TYPE_UINT32,
    "uint64": descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
}

# Each field: its number, its name, its type, and a star where it is repeated. Enumerations are their numbers.
_FLIGHT_MESSAGES: Final = {
    "HandshakeRequest": "1 protocol_version uint64, 2 payload bytes",
    "HandshakeResponse": "1 protocol_version uint64, 2 payload bytes",
    "Criteria": "1 expression bytes",
    "Action": "1 type string, 2 body bytes",
    "Result": "1 body bytes",
    "ActionType": "1 type string, 2 description string",
    "SchemaResult": "1 schema bytes",
    "FlightDescriptor": "1 type int32, 2 cmd bytes, 3 path string*",
    "Ticket": "1 ticket bytes",
    "Location": "1 uri string",
    "FlightEndpoint": "1 ticket Ticket, 2 location Location*, "
    "3 expiration_time google.protobuf.Timestamp, 4 app_metadata bytes",
    "FlightInfo": "1 schema bytes, 2 flight_descriptor FlightDescriptor, 3 endpoint FlightEndpoint*, "
    "4 total_records int64, 5 total_bytes int64, 6 ordered bool, 7 app_metadata bytes",
    "CancelFlightInfoRequest": "1 info FlightInfo",
    "CancelFlightInfoResult": "1 status int32",
    "FlightData": "1 flight_descriptor FlightDescriptor, 2 data_header bytes, 3 app_metadata bytes, "
    "1000 data_body bytes",
    "PutResult": "1 app_metadata bytes",
}
_KEYS: Final = "1 catalog string, 2 db_schema string, 3 table string"
_SQL_MESSAGES: Final = {
    "CommandGetSqlInfo": "1 info uint32*",
    "CommandGetXdbcTypeInfo": "1 data_type int32",
    "CommandGetCatalogs": "",
    "CommandGetDbSchemas": "1 catalog string, 2 db_schema_filter_pattern string",
    "CommandGetTables": "1 catalog string, 2 db_schema_filter_pattern string, "
    "3 table_name_filter_pattern string, 4 table_types string*, 5 include_schema bool",
    "CommandGetTableTypes": "",
    "CommandGetPrimaryKeys": _KEYS,
    "CommandGetExportedKeys": _KEYS,
    "CommandGetImportedKeys": _KEYS,
    "CommandGetCrossReference": "1 pk_catalog string, 2 pk_db_schema string, 3 pk_table string, "
    "4 fk_catalog string, 5 fk_db_schema string, 6 fk_table string",
    "CommandStatementQuery": "1 query string, 2 transaction_id bytes",
    "CommandPreparedStatementQuery": "1 prepared_statement_handle bytes",
    "TicketStatementQuery": "1 statement_handle bytes",
    "ActionCreatePreparedStatementRequest": "1 query string, 2 transaction_id bytes",
    "ActionCreatePreparedStatementResult": "1 prepared_statement_handle bytes, 2 dataset_schema bytes, "
    "3 parameter_schema bytes",
    "ActionClosePreparedStatementRequest": "1 prepared_statement_handle bytes",
    "ActionCancelQueryRequest": "1 info bytes",
    "ActionCancelQueryResult": "1 result int32",
    "DoPutPreparedStatementResult": "1 prepared_statement_handle bytes",
}
_OWN_MESSAGES: Final = {
    # What a ticket of ours holds, so that the server keeps nothing between the plan and the answer.
    "Statement": "1 number bytes, 2 query string, 3 parameters bytes, 4 command bytes",
}


def _file(name: str, package: str, messages: dict[str, str]) -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name=name, package=package, syntax="proto3")
    file.dependency.extend(["google/protobuf/timestamp.proto"])
    for message_name, fields in messages.items():
        message = file.message_type.add(name=message_name)
        for field in filter(None, fields.split(", ")):
            number, field_name, kind = field.split(" ")
            _add_field(message, int(number), field_name, kind, package)
    return file


def _add_field(
    message: descriptor_pb2.DescriptorProto, number: int, name: str, kind: str, package: str
) -> None:
    field = message.field.add(name=name, number=number)
    field.label = (
        descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
        if kind.endswith("*")
        else descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
    )
    kind = kind.removesuffix("*")
    if kind in _TYPES:
        field.type = _TYPES[kind]
    else:
        field.type = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = f".{kind}" if "." in kind else f".{package}.{kind}"


def _classes() -> dict[str, Any]:
    pool = descriptor_pool.DescriptorPool()
    timestamp = descriptor_pb2.FileDescriptorProto()
    timestamp_pb2.DESCRIPTOR.CopyToProto(timestamp)
    pool.Add(timestamp)
    files = [
        ("Flight.proto", FLIGHT, _FLIGHT_MESSAGES),
        ("FlightSql.proto", SQL, _SQL_MESSAGES),
        ("tracestore.proto", "tracestore", _OWN_MESSAGES),
    ]
    classes = {}
    for file_name, package, messages in files:
        pool.Add(_file(file_name, package, messages))
        for name in messages:
            found = pool.FindMessageTypeByName(f"{package}.{name}")
            classes[name] = message_factory.GetMessageClass(found)
    return classes


_CLASSES: Final = _classes()


class UnreadableError(ValueError):
    """Bytes that are no message of the protocol, or none that is known here."""


def make(name: str, **fields: Any) -> Any:
    """Returns a message."""
    return _CLASSES[name](**fields)


def read(name: str, data: bytes) -> Any:
    """Returns the message that bytes are.

    Raises:
        UnreadableError: where they are none.
    """
    try:
        return _CLASSES[name].FromString(data)
    except DecodeError:
        raise UnreadableError(f"cannot read {name}: its bytes are no such message") from None


def packed(message: Message) -> bytes:
    """Returns a message of Flight SQL with its name."""
    wrapped = any_pb2.Any(
        type_url=ANY_PREFIX + message.DESCRIPTOR.full_name, value=message.SerializeToString()
    )
    data: bytes = wrapped.SerializeToString()
    return data


def unpacked(data: bytes) -> tuple[str, Any]:
    """Returns the name of a message of Flight SQL, and the message.

    Raises:
        UnreadableError: where the bytes are no message that is known here.
    """
    try:
        wrapped = any_pb2.Any.FromString(data)
    except DecodeError:
        raise UnreadableError(
            "cannot read command: its bytes are no message of Flight SQL"
        ) from None
    package, _, name = wrapped.type_url.rpartition(".")
    if package != ANY_PREFIX + SQL or name not in _SQL_MESSAGES:
        raise UnreadableError(
            f"cannot answer {wrapped.type_url[:200]!r}; want a command of Flight SQL that reads"
        )
    return name, read(name, wrapped.value)
