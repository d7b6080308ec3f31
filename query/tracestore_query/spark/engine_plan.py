"""The engine's own plan of a query: every name, overload and cast decided, nothing run.

DuckDB binds the query over empty tables and tells its logical plan as JSON. So the types of all expressions are known,
casts that nobody wrote are in the plan, and stars, macros, lateral names and correlated subqueries are gone.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa
from sqlglot import exp

from tracestore.variant import LEAVES
from tracestore_query.engine.parquet_sql import fixed_type
from tracestore_query.errors import QueryFailedError, SparkRefusedError
from tracestore_query.language.dialect import generate
from tracestore_query.language.parameters import type_of_parameter
from tracestore_query.language.search_words import WORDS_IN_JSON, WORDS_IN_TEXT
from tracestore_query.language.value_macros import CANONICAL_JSON, MACROS, OF_ONE_VALUE
from tracestore_query.plan.plan import ObjectCall, Plan, part_name
from tracestore_query.plan.scan import Scan

_DERIVED: Final = {"is_root": "BOOLEAN", "end_time": "TIMESTAMPTZ", "duration": "DOUBLE"}

_STUBS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    CANONICAL_JSON: (("VARCHAR",), "VARCHAR"),
    WORDS_IN_TEXT: (("VARCHAR", "VARCHAR"), "UBIGINT"),
    WORDS_IN_JSON: (("VARCHAR", "VARCHAR"), "UBIGINT"),
    **{name: ((taken,), given) for name, (taken, given) in OF_ONE_VALUE.items()},
}
"""Functions of ours that stay calls in the plan, with their parameters and results: Spark has other words for them."""

_NO_NUMBER: Final = re.compile(r'"value":(-?)(nan|inf(?:inity)?)(?=[,}])', re.IGNORECASE)
"""Doubles that are no numbers, as the engine writes them; inside of a text its quotes would be escaped."""

_TELL: Final = (
    "SELECT json_serialize_plan(?, skip_null := true, skip_empty := true, skip_default := true)"
)


@dataclass(frozen=True, slots=True)
class EnginePlan:
    """The logical plan of a query.

    Attributes:
        root: the JSON of its topmost operator.
        names: of its columns.
        types: of its columns, as the engine spells them.
    """

    root: dict[str, Any]
    names: tuple[str, ...]
    types: tuple[str, ...]


class EnginePlanner:
    """An engine that binds and runs nothing. Thread-safe."""

    def __init__(self) -> None:
        self._engine = duckdb.connect(":memory:", config={"autoload_known_extensions": False})
        self._engine.execute("SET GLOBAL TimeZone = 'UTC'")
        self._engine.execute("SET GLOBAL order_by_non_integer_literal = true")
        for name, (parameters, result) in _STUBS.items():
            _create(self._engine, name, parameters, result)
        for signature, body in MACROS.items():
            if signature.partition("(")[0] not in _STUBS:
                self._engine.execute(f"CREATE MACRO {signature} AS {body}")
        self._lock = threading.Lock()

    def close(self) -> None:
        """Ends the engine."""
        self._engine.close()

    def plan(self, plan: Plan, values: Mapping[str, Any]) -> EnginePlan:
        """Returns the engine's plan of a bound query, with values in the places of its parameters.

        Raises:
            SparkRefusedError: where the engine cannot tell a plan.
        """
        query = plan.query
        text = generate(with_values(query.tree, values))
        with self._lock, self._cursor() as cursor:
            for token, scan in query.scans.items():
                _create_table(cursor, token, _columns(scan))
            for token, table in query.tables.items():
                _copy_empty(cursor, token, table)
            try:
                for name, call in query.objects.items():
                    _create(self._engine, name, (_struct(call),), "VARCHAR")
                return _told(cursor, text)
            finally:
                for name in query.objects:
                    self._engine.remove_function(name)

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        cursor = self._engine.cursor()
        try:
            yield cursor
        finally:
            cursor.close()


def _told(cursor: duckdb.DuckDBPyConnection, text: str) -> EnginePlan:
    try:
        relation = cursor.sql(text)
        [(written,)] = cursor.execute(_TELL, [text]).fetchall()
    except duckdb.Error as error:
        raise QueryFailedError(f"cannot run query: {str(error).splitlines()[0]}") from None
    told = json.loads(_NO_NUMBER.sub(_spelled_out, written))
    if told["error"]:
        reason = str(told.get("error_message"))
        if "MULTI" in reason:
            raise SparkRefusedError.of(
                "PIVOT that finds its columns in the rows", "name their values with IN (...)"
            )
        raise SparkRefusedError.of(f"a plan that cannot be told ({reason})", "write it another way")
    types = tuple(str(each) for each in relation.types)
    return EnginePlan(told["plans"][0], tuple(relation.columns), types)


def _spelled_out(found: re.Match[str]) -> str:
    name = "NaN" if found[2].lower() == "nan" else "Infinity"
    return f'"value":{"" if name == "NaN" else found[1]}{name}'


def with_values(tree: exp.Expr, values: Mapping[str, Any]) -> exp.Expr:
    """Returns a tree with the values of parameters in their places."""
    if not values:
        return tree

    def placed(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Placeholder) and str(node.this) in values:
            return _constant(values[str(node.this)])
        return node

    return tree.copy().transform(placed)


def _constant(value: Any) -> exp.Expr:
    if value is None:
        return exp.null()
    if isinstance(value, list | tuple):
        return exp.Array(expressions=[_constant(item) for item in value])
    kind = exp.DataType.build(type_of_parameter(value), dialect="duckdb")
    if isinstance(value, bytes):
        spelled = "".join(f"\\x{byte:02X}" for byte in value)
    elif isinstance(value, dt.timedelta):
        spelled = f"{value // dt.timedelta(microseconds=1)} microseconds"
    elif isinstance(value, dt.datetime | dt.date | dt.time):
        spelled = value.isoformat()
    else:
        spelled = str(value)
    return exp.cast(exp.Literal.string(spelled), kind)


def _columns(scan: Scan) -> dict[str, str]:
    columns = {name: _DERIVED.get(name) or fixed_type(scan, name) for name in scan.fixed_columns}
    for leaf, name in (*scan.leaves.items(), *scan.object_parts.items()):
        columns[name] = LEAVES[leaf[1]].sql
    if scan.needs_row_ids:
        columns["__row_id"] = "STRUCT(file VARCHAR, row BIGINT)"
    return columns or {"__one": "INTEGER"}


def _create_table(
    cursor: duckdb.DuckDBPyConnection, token: str, columns: Mapping[str, str]
) -> None:
    listed = ", ".join(f'"{name}" {sql_type}' for name, sql_type in columns.items())
    cursor.execute(f'CREATE TEMP TABLE "{token}" ({listed})')


def _copy_empty(cursor: duckdb.DuckDBPyConnection, token: str, table: pa.Table) -> None:
    cursor.register(f"{token}_rows", table)
    cursor.execute(f'CREATE TEMP TABLE "{token}" AS SELECT * FROM "{token}_rows" LIMIT 0')
    cursor.unregister(f"{token}_rows")


def _struct(call: ObjectCall) -> str:
    types = ["VARCHAR", *(LEAVES[leaf_type].sql for _, leaf_type in call.leaves)]
    if call.moved:
        types.append("VARCHAR")
    return f"STRUCT({', '.join(f'{part_name(n)} {each}' for n, each in enumerate(types))})"


def _create(
    cursor: duckdb.DuckDBPyConnection, name: str, parameters: tuple[str, ...], result: str
) -> None:
    # The engine counts the parameters of what it is given.
    stub = _one if len(parameters) == 1 else _two
    create: Any = cursor.create_function
    create(name, stub, list(parameters), result, type="arrow", null_handling="special")


def _one(_: Any) -> Any:
    raise AssertionError("BUG: a query that is only bound was run")


def _two(_: Any, __: Any) -> Any:
    raise AssertionError("BUG: a query that is only bound was run")
