"""Every type that the engine can return leaves in every format."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

import tracestore
from tracestore import Store
from tracestore.errors import QueryError
from tracestore_query.answer import formats
from tracestore_query.answer.held_types import TYPE_KEY
from tracestore_query.answer.json_texts import interval_text
from tracestore_query.engine.parse_rules import TYPES

_TEXTS = (
    *("1", "2020-01-01", "00:00:00", "true", "x", "1 day", "101", "[1]", "{a: 1}"),
    "00000000-0000-0000-0000-000000000001",
)
# Types that take others, and those that no statement can name.
_MADE = {
    "array",
    "decimal",
    "enum",
    "list",
    "map",
    "null",
    "row",
    "struct",
    "tuple",
    "type",
    "union",
}
_REFUSED = {"geometry", "timestamptz_ns", "variant"}


def _values() -> list[str]:
    """Returns an expression of each type that the engine's own catalog lists, and of types made of others."""
    engine = duckdb.connect()
    asked = "SELECT DISTINCT lower(logical_type) FROM duckdb_types() WHERE internal ORDER BY 1"
    values = []
    for (name,) in engine.execute(asked).fetchall():
        if name in _MADE | _REFUSED:
            continue
        assert name in TYPES, f"nobody has judged the type {name}"
        values.append(_cast(engine, name))
    engine.close()
    return [
        *values,
        *("[1, 2]", "[1, 2]::INT[2]", "{'a': 1}", "MAP {'k': 1}", "union_value(a := 1)", "NULL"),
        *("'x'::ENUM('x', 'y')", "1.5::DECIMAL(38, 2)", "struct_pack()", "row(1, 2)", "'101'::BIT"),
        *(
            "'infinity'::TIMESTAMP",
            "'nan'::DOUBLE",
            "DATE '290000-01-01'",
            "'2020-01-01 00:00:00.123456789'::TIMESTAMP_NS",
        ),
        *("TIMESTAMP '290000-01-01'", "INTERVAL '1 month -3 days 1.5 seconds'", "''::BLOB"),
        *(
            "MAP {[1]: INTERVAL 1 DAY}",
            "{'a': {'b': [INTERVAL 1 DAY]}}",
            "'1'::JSON",
            "[]",
            "MAP {}",
        ),
    ]


def _cast(engine: duckdb.DuckDBPyConnection, name: str) -> str:
    for text in _TEXTS:
        cast = f"CAST('{text}' AS {name})"
        try:
            engine.execute(f"SELECT {cast}").fetchall()
        except duckdb.Error:
            continue
        return cast
    raise AssertionError(f"no value of type {name}")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with tracestore.open(tmp_path_factory.mktemp("formats") / "store", background=False) as opened:
        yield opened


@pytest.mark.parametrize("wrapped", ["{}", "[{}]", "{{'n': {}}}", "MAP {{'k': {}}}"])
@pytest.mark.parametrize("value", _values())
def test_a_value_leaves_in_every_format(value: str, wrapped: str, store: Store) -> None:
    sql = f"SELECT {wrapped.format(value)} AS v, 7 AS n"
    given = {
        kind: b"".join(formats.started(store.query.sql(sql), kind)) for kind in formats.FORMATS
    }
    (row,) = json.loads(given[formats.JSON])["rows"]
    assert row[1] == 7
    assert json.loads(given[formats.NDJSON]) == {"v": row[0], "n": 7}
    assert pa_csv.read_csv(io.BytesIO(given[formats.CSV]))["n"].to_pylist() == [7]
    arrow = pa.ipc.open_stream(given[formats.ARROW]).read_all()
    parquet = pq.read_table(io.BytesIO(given[formats.PARQUET]))
    assert arrow["n"].to_pylist() == parquet["n"].to_pylist() == [7]
    assert (arrow["v"].null_count == 1) == (parquet["v"].null_count == 1) == (row[0] is None)


@pytest.mark.parametrize("name", sorted(_REFUSED))
def test_what_may_not_leave_is_refused_before_the_first_byte(name: str, store: Store) -> None:
    with pytest.raises(QueryError):
        store.sql(f"SELECT CAST('1' AS {name}) AS v")


@pytest.mark.parametrize("kind", formats.FORMATS)
def test_two_columns_of_one_name_leave_in_every_format(kind: str, store: Store) -> None:
    assert b"".join(formats.started(store.query.sql("SELECT 1 AS a, 2 AS a"), kind))


def test_what_parquet_has_no_form_for_is_text_that_says_so(store: Store) -> None:
    sql = "SELECT INTERVAL 1 DAY AS i, union_value(a := 1) AS u, [struct_pack()] AS s, 1 AS n"
    table = pq.read_table(
        io.BytesIO(b"".join(formats.started(store.query.sql(sql), formats.PARQUET)))
    )
    assert table.to_pylist() == [{"i": "P0M1DT0S", "u": "1", "s": "[{}]", "n": 1}]
    kinds = [(table.schema.field(name).metadata or {}).get(TYPE_KEY.encode()) for name in "iun"]
    assert kinds == [b"INTERVAL", b"UNION(a INTEGER)", None]


def test_intervals_are_iso_8601() -> None:
    assert interval_text(pa.MonthDayNano((14, -3, 1_500_000_000))) == "P14M-3DT1.5S"
    assert interval_text(pa.MonthDayNano((0, 0, -1))) == "P0M0DT-0.000000001S"


@pytest.mark.parametrize("size", [500, 1000, 1024, 1025, 3000, 70_000])
def test_long_keys_give_the_same_in_memory_and_in_segments(size: int, store: Store) -> None:
    key = "k" * size
    rows = [
        {"name": f"long {size}", "span_id": f"{size * 100 + i:016x}", "trace_id": f"{size:032x}"}
        | {"attributes": {key: 7, "inner": {key: "v"}, "list": [{key: 1}]}}
        for i in range(1, 41)
    ]
    store.insert("spans", rows)
    asked = [
        f'SELECT count(*) AS n FROM spans WHERE attributes."{key}" = 7',
        f"SELECT count(*) AS n FROM spans WHERE attributes.inner.\"{key}\" = 'v'",
        f"SELECT sum(attributes.\"{key}\") AS n FROM spans WHERE name = 'long {size}'",
        f"SELECT attributes FROM spans WHERE name = 'long {size}' ORDER BY span_id LIMIT 2",
    ]
    in_memory = [store.sql(sql).rows() for sql in asked]
    store.flush()
    assert [store.sql(sql).rows() for sql in asked] == in_memory
    assert in_memory[3][0]["attributes"] == rows[0]["attributes"]


@pytest.mark.parametrize(
    "value",
    ["""'{"a":\n1}'::JSON""", """['{"a":\r\n1}'::JSON]""", """json_pretty('{"a": [1]}')::JSON"""],
)
def test_a_row_is_one_line_whatever_white_space_its_json_has(store: Store, value: str) -> None:
    lines = b"".join(formats.written(store.query.sql(f"SELECT {value} AS x"), formats.NDJSON))
    [line] = lines.splitlines()
    objects = b"".join(formats.written(store.query.sql(f"SELECT {value} AS x"), formats.OBJECTS))
    assert json.loads(objects) == [json.loads(line)]
