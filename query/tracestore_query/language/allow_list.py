"""The allow-list: what a query may be made of. The engine's own locks are a second, separate fence.

A statement is a SELECT (or set operation of SELECTs, or PIVOT); every node of its tree is of a kind listed
here; a function is one that the engine lists as scalar, aggregate or window function and that reads nothing
but its arguments; a table is one of ours, a CTE, or `unnest`, `range` and `generate_series`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

from sqlglot import exp

from tracestore_query.errors import QueryForbiddenError, UnknownNameError
from tracestore_query.language.dialect import generate
from tracestore_query.language.free_text import check_texts
from tracestore_query.language.nodes import children_of

MAX_NODES = 50_000
"""Nodes of a query's tree; a tree costs about 1 KiB and 20 microseconds a node on its way to the engine."""

MAX_HEIGHT = 400
"""Levels of a query's tree; later passes recurse over it."""

_STATEMENTS = (exp.Select, exp.SetOperation, exp.Subquery, exp.Pivot)

# What a tree may hold beside functions, operators and conditions.
_ALLOWED = (
    exp.Alias,
    exp.Aliases,
    exp.Array,
    exp.Between,
    exp.Boolean,
    exp.Bracket,
    exp.CTE,
    exp.Column,
    exp.Comprehension,
    exp.Cube,
    exp.DataType,
    exp.Distinct,
    exp.Dot,
    exp.Escape,
    exp.Fetch,
    exp.Filter,
    exp.From,
    exp.Group,
    exp.GroupingSets,
    exp.Having,
    exp.HavingMax,
    exp.Identifier,
    exp.IgnoreNulls,
    exp.Interval,
    exp.Join,
    exp.Kwarg,
    exp.Lambda,
    exp.Lateral,
    exp.Limit,
    exp.LimitOptions,
    exp.Literal,
    exp.Null,
    exp.Offset,
    exp.Order,
    exp.Ordered,
    exp.Paren,
    exp.Pivot,
    exp.PivotAlias,
    exp.PivotAny,
    exp.Placeholder,
    exp.Predicate,
    exp.PropertyEQ,
    exp.Qualify,
    exp.Query,
    exp.RespectNulls,
    exp.Rollup,
    exp.Slice,
    exp.Star,
    exp.Table,
    exp.TableAlias,
    exp.TableSample,
    exp.Tuple,
    exp.UnpivotColumns,
    exp.Values,
    exp.Var,
    exp.Where,
    exp.Window,
    exp.WindowSpec,
    exp.With,
    exp.WithinGroup,
    exp.AtTimeZone,
    exp.DataTypeParam,
    exp.ColumnDef,
    exp.IntervalSpan,
    exp.JSONPath,
    exp.JSONPathPart,
)

MAX_TABLES = 100
"""Tables named in FROM; the engine plans joins in cubic time and cannot be stopped meanwhile."""

# What the parser counts as functions and the engine as syntax.
_OPERATORS = (
    exp.And,
    exp.Array,
    exp.ArrayContainedBy,
    exp.ArrayContainsAll,
    exp.ArrayOverlaps,
    exp.Case,
    exp.Cast,
    exp.Coalesce,
    exp.Collate,
    exp.CurrentDate,
    exp.CurrentTime,
    exp.CurrentTimestamp,
    exp.Exists,
    exp.Explode,
    exp.Extract,
    exp.If,
    exp.JSONExtract,
    exp.JSONExtractScalar,
    exp.Localtime,
    exp.Localtimestamp,
    exp.Map,
    exp.Or,
    exp.Pow,
    exp.RegexpLike,
    exp.Struct,
    exp.ToMap,
    exp.Unnest,
    exp.VarMap,
    exp.Xor,
)

_TYPES = frozenset({"TIMESTAMPTZ_NS"})
"""Types of the engine that the parser has no name for."""

_CALLED = re.compile(r"(\w+)\(")

_SCALAR_PARENTS = (exp.Unary, exp.Binary, exp.Condition, exp.Func)


def check(tree: exp.Expr, functions: Collection[str]) -> None:
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
    nodes = _bounded_nodes(tree)
    if sum(isinstance(node, exp.Table) for node in nodes) > MAX_TABLES:
        raise QueryForbiddenError(f"cannot run query: it names more than {MAX_TABLES} tables")
    for node in nodes:
        # Before any of them is written.
        check_texts(node)
    for node in nodes:
        if not isinstance(node, (*_ALLOWED, *_SCALAR_PARENTS)) or isinstance(
            node, exp.Parameter | exp.SessionParameter
        ):
            raise QueryForbiddenError(
                f"cannot run query: {_kind(node)} is not allowed; only SELECT is"
            )
        # Behind UNPIVOT stands what its columns are called.
        into = None if isinstance(node, exp.Pivot) else node.args.get("into")
        if into or node.args.get("locks"):
            raise QueryForbiddenError("cannot run query: INTO and FOR UPDATE are not allowed")
        _check_node(node, functions)


def nearest(name: str, known: Collection[str]) -> str:
    """Returns `; did you mean ...?` for the known names most like a name, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"; did you mean {', '.join(close)}?" if close else ""


def _bounded_nodes(tree: exp.Expr) -> list[exp.Expr]:
    """Returns a tree's nodes, the upper ones first; refuses one that later passes, which recurse, could not walk."""
    nodes: list[exp.Expr] = []
    level, height = [tree], 0
    while level:
        nodes += level
        height += 1
        if len(nodes) > MAX_NODES:
            raise QueryForbiddenError(f"cannot run query: it has more than {MAX_NODES} parts")
        if height > MAX_HEIGHT:
            raise QueryForbiddenError("cannot run query: nested too deeply")
        level = children_of(*level)
    return nodes


def _check_node(node: exp.Expr, functions: Collection[str]) -> None:
    if isinstance(node, exp.Identifier):
        _check_identifier(node)
    elif isinstance(node, exp.Anonymous | exp.AnonymousAggFunc | exp.CombinedAggFunc):
        # What is called in FROM is judged by the binder, which knows the table functions.
        if not (isinstance(node.parent, exp.Table) and node.arg_key == "this"):
            _check_function(_name_of(node), functions)
    elif isinstance(node, exp.Func) and not isinstance(node, _OPERATORS):
        _check_known(node, functions)
    elif isinstance(node, exp.Table):
        _check_table(node)
    elif isinstance(node, exp.DataType) and node.this == exp.DType.USERDEFINED:
        if generate(node).upper() in _TYPES:
            return
        raise UnknownNameError(f"cannot run query: unknown type {generate(node)}")


def _kind(node: exp.Expr) -> str:
    if isinstance(node, exp.Command):
        return str(node.this).upper()
    return node.key.upper()


def _name_of(node: exp.Expr) -> str:
    return str(node.this.name if isinstance(node.this, exp.Expr) else node.this)


def _check_identifier(node: exp.Identifier) -> None:
    if str(node.this).startswith("__"):
        raise QueryForbiddenError(
            "cannot run query: names that begin with two underscores are reserved"
        )


def _check_function(name: str, functions: Collection[str]) -> None:
    if name.lower() not in functions:
        raise UnknownNameError(
            f"cannot run query: unknown function {name}{nearest(name.lower(), functions)}"
        )


def _check_known(node: exp.Func, functions: Collection[str]) -> None:
    """Checks a function the parser has a class for, by the name it has for the engine."""
    written = _CALLED.match(generate(node))
    names = [name.lower() for name in (*node.sql_names(), *(written.groups() if written else ()))]
    if not any(name in functions for name in names):
        raise QueryForbiddenError(f"cannot run query: function {names[-1]} is not allowed")
    if written is not None and written.group(1).lower() not in functions:
        raise QueryForbiddenError(f"cannot run query: function {written.group(1)} is not allowed")


def _check_table(node: exp.Table) -> None:
    if node.args.get("db") or node.args.get("catalog"):
        raise QueryForbiddenError(
            f"cannot run query: table {generate(node)} is not allowed; tables here have no schema"
        )
