"""What tools ask of a database before they ask it anything: its tables, its types, and what it can do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import pyarrow as pa

import tracestore

Ask = Callable[[str], pa.Table]
"""Returns the answer of a statement."""

TEXT: Final = pa.string()
_UNNAMED: Final = ""
"""The name of the one catalog and its one schema: tables here have none, so that tools put no name before theirs."""

_KINDS: Final = {"BASE TABLE": "TABLE", "VIEW": "VIEW"}
"""Kinds of tables in SQL, and as drivers ask for them."""

_SQL_INFO_VALUES: Final = (
    ("string_value", pa.string()),
    ("bool_value", pa.bool_()),
    ("bigint_value", pa.int64()),
    ("int32_bitmask", pa.int32()),
    ("string_list", pa.list_(pa.string())),
    ("int32_to_int32_list_map", pa.map_(pa.int32(), pa.list_(pa.int32()))),
)


class _Int32(int):
    """A number that goes out as `int32_bitmask`."""


_SQL_INFO: Final[Mapping[int, Any]] = {
    0: "tracestore",
    1: tracestore.__version__,
    2: pa.__version__,
    3: True,  # it only reads
    4: True,  # SQL
    5: False,  # Substrait
    8: _Int32(0),  # transactions: none
    9: True,  # statements can be cancelled
    500: False,  # catalogs cannot be made
    501: False,  # nor schemas
    502: False,  # nor tables
    503: _Int32(2),  # names in whatever case are found
    504: '"',  # quotes names
    505: _Int32(2),
    506: True,  # all tables can be asked
}

_XDBC_TYPES: Final = (
    ("BIGINT", -5, 19),
    ("BOOLEAN", 16, 1),
    ("DOUBLE", 8, 15),
    ("INTEGER", 4, 10),
    ("VARCHAR", 12, None),
    ("JSON", 12, None),
    ("TIMESTAMP WITH TIME ZONE", 93, 6),
)
"""The engine's types, their numbers in ODBC, and their digits."""


def catalogs() -> pa.Table:
    """Returns the catalogs."""
    return pa.table([[_UNNAMED]], schema=pa.schema([_required("catalog_name")]))


def schemas(command: Any) -> pa.Table:
    """Returns the schemas of a catalog."""
    names = [_UNNAMED] if _is_ours(command.catalog, command.db_schema_filter_pattern) else []
    return pa.table(
        [names, names], schema=pa.schema([("catalog_name", TEXT), _required("db_schema_name")])
    )


def table_types() -> pa.Table:
    """Returns the kinds of tables."""
    return pa.table([sorted(_KINDS.values())], schema=pa.schema([_required("table_type")]))


def tables(command: Any, ask: Ask) -> pa.Table:
    """Returns the tables whose names fit, with their columns where they are asked for."""
    found: list[dict[str, str]] = []
    if _is_ours(command.catalog, command.db_schema_filter_pattern):
        pattern = _like(command.table_name_filter_pattern or "%")
        kinds = set(command.table_types)
        answer = ask("SELECT table_name, table_type FROM information_schema.tables ORDER BY 1")
        found = [
            row
            for row in answer.to_pylist()
            if pattern.fullmatch(row["table_name"])
            and (not kinds or _KINDS[row["table_type"]] in kinds)
        ]
    fields = [
        pa.field("catalog_name", TEXT),
        pa.field("db_schema_name", TEXT),
        _required("table_name"),
        _required("table_type"),
    ]
    names = [row["table_name"] for row in found]
    columns: list[Any] = [
        [_UNNAMED] * len(names),
        [_UNNAMED] * len(names),
        names,
        [_KINDS[row["table_type"]] for row in found],
    ]
    if command.include_schema:
        fields.append(pa.field("table_schema", pa.binary(), nullable=False))
        columns.append([_schema_of(name, ask) for name in names])
    return pa.table(columns, schema=pa.schema(fields))


def _schema_of(name: str, ask: Ask) -> bytes:
    text = name.replace('"', '""')
    data: bytes = ask(f'SELECT * FROM "{text}" LIMIT 0').schema.serialize().to_pybytes()  # noqa: S608 - a table's own name
    return data


def keys() -> pa.Table:
    """Returns the keys of a table: no table here says that it has one."""
    fields = [
        ("catalog_name", TEXT),
        ("db_schema_name", TEXT),
        _required("table_name"),
        _required("column_name"),
        ("key_name", TEXT),
        pa.field("key_sequence", pa.int32(), nullable=False),
    ]
    return pa.schema(fields).empty_table()


def references() -> pa.Table:
    """Returns the keys of other tables that a table has: none."""
    sides = [
        field
        for side in ("pk", "fk")
        for field in (
            (f"{side}_catalog_name", TEXT),
            (f"{side}_db_schema_name", TEXT),
            _required(f"{side}_table_name"),
            _required(f"{side}_column_name"),
        )
    ]
    fields = [
        *sides,
        pa.field("key_sequence", pa.int32(), nullable=False),
        ("fk_key_name", TEXT),
        ("pk_key_name", TEXT),
        pa.field("update_rule", pa.uint8(), nullable=False),
        pa.field("delete_rule", pa.uint8(), nullable=False),
    ]
    return pa.schema(fields).empty_table()


def sql_info(wanted: Iterable[int]) -> pa.Table:
    """Returns what the server says of itself: what is asked for, or all of it."""
    numbers = [number for number in wanted or _SQL_INFO if number in _SQL_INFO]
    children: list[list[Any]] = [[] for _ in _SQL_INFO_VALUES]
    kinds, offsets = [], []
    for number in numbers:
        value = _SQL_INFO[number]
        kind = 0 if isinstance(value, str) else 1 if isinstance(value, bool) else 3
        kinds.append(kind)
        offsets.append(len(children[kind]))
        children[kind].append(value)
    values = pa.UnionArray.from_dense(
        pa.array(kinds, pa.int8()),
        pa.array(offsets, pa.int32()),
        [
            pa.array(child, kind)
            for child, (_, kind) in zip(children, _SQL_INFO_VALUES, strict=True)
        ],
        [name for name, _ in _SQL_INFO_VALUES],
        list(range(len(_SQL_INFO_VALUES))),
    )
    fields = [
        pa.field("info_name", pa.uint32(), nullable=False),
        pa.field("value", values.type, nullable=False),
    ]
    return pa.table([pa.array(numbers, pa.uint32()), values], schema=pa.schema(fields))


def xdbc_types(wanted: int) -> pa.Table:
    """Returns the types of columns: those of one number, or all where it is zero."""
    rows = [row for row in _XDBC_TYPES if wanted in {0, row[1]}]
    whole, small, yes = pa.int32(), pa.int32(), pa.bool_()
    columns: dict[str, tuple[pa.DataType, bool, Any]] = {
        "type_name": (TEXT, False, lambda row: row[0]),
        "data_type": (whole, False, lambda row: row[1]),
        "column_size": (whole, True, lambda row: row[2]),
        "literal_prefix": (TEXT, True, lambda row: "'" if row[1] in {12, 93} else None),
        "literal_suffix": (TEXT, True, lambda row: "'" if row[1] in {12, 93} else None),
        "create_params": (pa.list_(pa.field("item", TEXT, nullable=False)), True, lambda _: None),
        "nullable": (small, False, lambda _: 1),
        "case_sensitive": (yes, False, lambda row: row[1] == 12),
        "searchable": (small, False, lambda _: 3),
        "unsigned_attribute": (yes, True, lambda row: False if row[1] in {-5, 4, 8} else None),
        "fixed_prec_scale": (yes, False, lambda _: False),
        "auto_increment": (yes, True, lambda _: None),
        "local_type_name": (TEXT, True, lambda row: row[0]),
        "minimum_scale": (whole, True, lambda _: None),
        "maximum_scale": (whole, True, lambda _: None),
        "sql_data_type": (whole, False, lambda row: row[1]),
        "datetime_subcode": (whole, True, lambda row: 3 if row[1] == 93 else None),
        "num_prec_radix": (whole, True, lambda row: 10 if row[1] in {-5, 4} else None),
        "interval_precision": (whole, True, lambda _: None),
    }
    fields = [pa.field(name, kind, nullable=null) for name, (kind, null, _) in columns.items()]
    data = [[value(row) for row in rows] for _, _, value in columns.values()]
    return pa.table(data, schema=pa.schema(fields))


def _required(name: str) -> pa.Field:
    return pa.field(name, TEXT, nullable=False)


def _is_ours(catalog: str, schema_pattern: str) -> bool:
    return catalog == _UNNAMED and _like(schema_pattern or "%").fullmatch(_UNNAMED) is not None


def _like(pattern: str) -> re.Pattern[str]:
    """Returns a pattern of LIKE as a regular expression; a row of `%` is one, so that it takes linear time."""
    parts = re.sub("%+", "%", pattern)
    words = {"%": ".*", "_": "."}
    return re.compile("".join(words.get(each, re.escape(each)) for each in parts), re.DOTALL)
