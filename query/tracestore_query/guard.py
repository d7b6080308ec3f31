"""The allow-list: what a query may be made of. The engine's own locks are a second, separate fence.

A statement is a SELECT (or set operation of SELECTs); a function is one that the engine lists as scalar,
aggregate or window function and that reads nothing but its arguments; a table is one of ours, a CTE, or
`unnest`, `range` and `generate_series`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection

from sqlglot import exp

from tracestore_query.errors import QueryForbiddenError, UnknownNameError

TABLE_GENERATORS = frozenset({"unnest", "range", "generate_series"})

# Scalar functions that look outside of their arguments: settings, variables, sequences, catalogs, the log.
_DENIED = frozenset(
    """
    current_setting getvariable getenv nextval currval current_database current_catalog current_schema
    current_schemas current_query current_user session_user user current_role txid_current
    in_search_path write_log pg_typeof_catalog pg_get_viewdef pg_get_constraintdef pg_get_expr
    pg_size_pretty_catalog has_table_privilege has_schema_privilege has_database_privilege
    has_any_column_privilege has_column_privilege col_description obj_description
    shobj_description format_type format_pg_type map_to_pg_oid pg_postmaster_start_time
    pg_my_temp_schema pg_table_is_visible pg_is_other_temp_schema version query query_table
    read_text read_blob read_csv read_csv_auto read_json read_json_auto read_json_objects
    read_ndjson read_ndjson_auto read_ndjson_objects read_parquet parquet_scan parquet_metadata
    parquet_schema parquet_file_metadata parquet_kv_metadata parquet_bloom_probe glob sniff_csv
    arrow_scan arrow_scan_dumb pandas_scan python_map_function seq_scan sql_auto_complete
    json_execute_serialized_sql json_serialize_plan json_deserialize_sql checkpoint
    force_checkpoint enable_logging disable_logging duckdb_secrets which_secret
    create_sort_key __internal_compress_string_utinyint getvariable stats error
    """.split()
)
_DENIED_PREFIXES = (
    "pragma_",
    "duckdb_",
    "__internal",
    "read_",
    "pg_",
    "parquet_",
    "sniff_",
    "enable_",
    "disable_",
)

_STATEMENTS = (exp.Select, exp.SetOperation, exp.Subquery, exp.Pivot)

# Nodes that have no place in a query over tables, wherever they stand.
_FORBIDDEN_NODES = (
    exp.Command,
    exp.Create,
    exp.Insert,
    exp.Update,
    exp.Delete,
    exp.Merge,
    exp.Drop,
    exp.Alter,
    exp.Copy,
    exp.Set,
    exp.Pragma,
    exp.Attach,
    exp.Detach,
    exp.Use,
    exp.Into,
    exp.Lock,
    exp.SessionParameter,
    exp.Parameter,
)


def check(tree: exp.Expression, functions: Collection[str]) -> None:
    """Refuses a tree that asks for anything but data of our tables.

    Args:
        tree: one parsed statement.
        functions: names of the engine's scalar, aggregate and window functions, and of ours.

    Raises:
        QueryForbiddenError: naming what is not allowed.
        UnknownNameError: naming the nearest function.
    """
    if not isinstance(tree, _STATEMENTS):
        raise QueryForbiddenError(f"cannot run query: {_kind(tree)} is not allowed; only SELECT is")
    for node in tree.walk():
        if isinstance(node, _FORBIDDEN_NODES):
            raise QueryForbiddenError(
                f"cannot run query: {_kind(node)} is not allowed; only SELECT is"
            )
        if isinstance(node, exp.Identifier):
            _check_identifier(node)
        elif isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
            _check_function(str(node.this), functions, in_from=_in_from(node))
        elif isinstance(node, exp.Func):
            _check_known(node, functions)
        elif isinstance(node, exp.Table):
            _check_table(node)
        elif isinstance(node, exp.DataType):
            _check_type(node)


def nearest(name: str, known: Collection[str]) -> str:
    """Returns `; did you mean ...?` for the known names most like a name, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"; did you mean {', '.join(close)}?" if close else ""


def allowed_functions(listed: Collection[str]) -> frozenset[str]:
    """Returns the engine's functions less those that look outside of their arguments."""
    return frozenset(
        name
        for name in (listed_name.lower() for listed_name in listed)
        if name not in _DENIED and not name.startswith(_DENIED_PREFIXES)
    )


def _kind(node: exp.Expression) -> str:
    if isinstance(node, exp.Command):
        return str(node.this).upper()
    return node.key.upper()


def _check_identifier(node: exp.Identifier) -> None:
    if str(node.this).startswith("__"):
        raise QueryForbiddenError(
            "cannot run query: names that begin with two underscores are reserved"
        )


def _check_function(name: str, functions: Collection[str], *, in_from: bool) -> None:
    lowered = name.lower()
    if in_from:
        return
    if lowered in _DENIED or lowered.startswith(_DENIED_PREFIXES):
        raise QueryForbiddenError(f"cannot run query: function {name} is not allowed")
    if lowered not in functions:
        raise UnknownNameError(
            f"cannot run query: unknown function {name}{nearest(lowered, functions)}"
        )


def _check_known(node: exp.Func, functions: Collection[str]) -> None:
    """Checks a function the parser has a class for, by every name it may be written as."""
    names = {name.lower() for name in node.sql_names()}
    if names & _DENIED or any(name.startswith(_DENIED_PREFIXES) for name in names):
        raise QueryForbiddenError(f"cannot run query: function {min(names)} is not allowed")
    if isinstance(node, exp.ReadCSV | exp.ReadParquet):
        raise QueryForbiddenError("cannot run query: reading files is not allowed")


def _in_from(node: exp.Expression) -> bool:
    return isinstance(node.parent, exp.Table) and node.arg_key == "this"


def _check_table(node: exp.Table) -> None:
    if node.args.get("db") or node.args.get("catalog"):
        raise QueryForbiddenError(
            f"cannot run query: table {node.sql(dialect='duckdb')} is not allowed; tables here have no schema"
        )


def _check_type(node: exp.DataType) -> None:
    if node.this == exp.DType.USERDEFINED:
        raise UnknownNameError(f"cannot run query: unknown type {node.sql(dialect='duckdb')}")
