"""The value of a path as an expression over its leaves: the type rules, in one place.

docs/guide/sql.md, "Types", is the table that the tests run against this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from tracestore.variant import LEAVES

Columns = Mapping[str, exp.Expr]
"""The column of each leaf type a path has in the scan."""


def null(sql_type: str) -> exp.Expr:
    """Returns a NULL of a type."""
    return exp.cast(exp.null(), sql_type)


def number(columns: Columns) -> exp.Expr:
    """Returns the numbers of a path, NULL where the row has something else."""
    if set(columns) & {"i64", "f64", "json"} == {"i64"}:
        return columns["i64"].copy()
    parts: list[exp.Expr] = []
    if "f64" in columns:
        parts.append(columns["f64"].copy())
    if "i64" in columns:
        parts.append(exp.cast(columns["i64"].copy(), "DOUBLE"))
    if "json" in columns:
        # Integers beyond 64 bits and decimals that no double holds.
        parts.append(_try_cast(columns["json"], "DOUBLE"))
    return first(parts, "DOUBLE")


def text(columns: Columns) -> exp.Expr:
    """Returns the strings of a path, NULL where the row has something else."""
    return columns["str"].copy() if "str" in columns else null("VARCHAR")


def boolean(columns: Columns) -> exp.Expr:
    """Returns the booleans of a path, NULL where the row has something else."""
    return columns["bool"].copy() if "bool" in columns else null("BOOLEAN")


def present(columns: Columns) -> exp.Expr:
    """Returns TRUE or NULL: whether the row has a value other than null there."""
    parts = [is_set(column) for leaf_type, column in columns.items() if leaf_type != "json"]
    if "json" in columns:
        parts.append(exp.NEQ(this=columns["json"].copy(), expression=exp.Literal.string("null")))
    if not parts:
        return null("BOOLEAN")
    some = parts[0]
    for part in parts[1:]:
        some = exp.Or(this=some, expression=part)
    return exp.Case(ifs=[exp.If(this=exp.paren(some), true=exp.true())])


def bare(columns: Columns) -> exp.Expr:
    """Returns the value itself: in its one type, in DOUBLE for a mix of numbers, else as JSON."""
    types = set(columns)
    if not types:
        return null("VARCHAR")
    if types == {"i64", "f64"}:
        return number(columns)
    if len(types) == 1:
        return _single(next(iter(types)), columns)
    return json(columns)


def json(columns: Columns) -> exp.Expr:
    """Returns the value as JSON, whatever its type."""
    return first([_as_json(leaf_type, column) for leaf_type, column in columns.items()], "JSON")


def comparable(columns: Columns) -> exp.Expr:
    """Returns the value as JSON that is equal where the values are: numbers in one form."""
    numbers = {each: column for each, column in columns.items() if each in {"i64", "f64"}}
    parts = [
        _as_json(leaf_type, column)
        for leaf_type, column in columns.items()
        if leaf_type not in numbers
    ]
    if numbers:
        double = exp.cast(number(numbers), "DOUBLE")
        parts.append(exp.Anonymous(this="to_json", expressions=[double]))
    return first(parts, "JSON")


def typeof(columns: Columns) -> exp.Expr:
    """Returns the word for the row's own type, NULL where the path is missing."""
    ifs = [
        exp.If(this=is_set(column), true=_type_word(leaf_type, column))
        for leaf_type, column in columns.items()
    ]
    return exp.Case(ifs=ifs) if ifs else null("VARCHAR")


def listed(columns: Columns) -> exp.Expr:
    """Returns the lists of a path. With several item types the items of a json[] are converted to the other's."""
    lists = [leaf_type for leaf_type in columns if leaf_type.endswith("[]")]
    typed = [leaf_type for leaf_type in lists if leaf_type != "json[]"]
    if not lists:
        return bare(columns)
    if not typed:
        return exp.cast(columns["json[]"].copy(), "JSON[]")
    if len(typed) > 1:
        if set(typed) == {"i64[]", "f64[]"}:
            return first([exp.cast(columns[each].copy(), "DOUBLE[]") for each in typed], "DOUBLE[]")
        return exp.cast(json({each: columns[each] for each in lists}), "JSON[]")
    item = _item_sql(typed[0])
    parts = [columns[typed[0]].copy()]
    if "json[]" in columns:
        parts.append(_items(columns["json[]"], item))
    return first(parts, f"{item}[]")


def converted(columns: Columns, to: exp.DataType) -> exp.Expr:
    """Returns every leaf type converted with TRY_CAST."""
    name = to.sql(dialect="duckdb")
    parts: list[exp.Expr] = []
    for leaf_type, column in columns.items():
        if name.upper() in {"VARCHAR", "TEXT"} and leaf_type.endswith("[]"):
            parts.append(exp.cast(_as_json(leaf_type, column), "VARCHAR"))
        elif leaf_type == "json" and name.upper() in {"VARCHAR", "TEXT"}:
            parts.append(exp.Nullif(this=column.copy(), expression=exp.Literal.string("null")))
        elif name.upper() == "JSON" and leaf_type != "str":
            parts.append(_as_json(leaf_type, column))
        elif leaf_type == "json[]":
            # JSON text of the list, so that its items are converted and not their texts.
            parts.append(_try_cast(_as_json(leaf_type, column), name))
        else:
            parts.append(exp.TryCast(this=column.copy(), to=to.copy()))
    return first(parts, name)


def items_at(columns: Columns, index: int) -> dict[str, exp.Expr]:
    """Returns the items of lists at an index from 0, or from the end where negative, by their leaf type."""
    position = index + 1 if index >= 0 else index
    return {
        leaf_type.removesuffix("[]"): exp.Anonymous(
            this="list_extract", expressions=[column.copy(), exp.convert(position)]
        )
        for leaf_type, column in columns.items()
        if leaf_type.endswith("[]")
    }


def _single(leaf_type: str, columns: Columns) -> exp.Expr:
    column = columns[leaf_type].copy()
    if leaf_type == "json[]":
        return exp.cast(column, "JSON[]")
    if leaf_type == "json":
        return exp.cast(exp.Nullif(this=column, expression=exp.Literal.string("null")), "JSON")
    return column


def _as_json(leaf_type: str, column: exp.Expr) -> exp.Expr:
    column = column.copy()
    if leaf_type == "json":
        return exp.cast(exp.Nullif(this=column, expression=exp.Literal.string("null")), "JSON")
    if leaf_type == "json[]":
        return exp.Anonymous(this="to_json", expressions=[exp.cast(column, "JSON[]")])
    if leaf_type == "bin":
        return exp.Anonymous(
            this="to_json", expressions=[exp.Anonymous(this="to_base64", expressions=[column])]
        )
    return exp.Anonymous(this="to_json", expressions=[column])


def _type_word(leaf_type: str, column: exp.Expr) -> exp.Expr:
    if leaf_type.endswith("[]"):
        return exp.Literal.string("array")
    if leaf_type != "json":
        return exp.Literal.string(LEAVES[leaf_type].word)
    first = exp.Anonymous(this="left", expressions=[column.copy(), exp.Literal.number(1)])
    words = {"n": "null", "{": "object", "[": "array", '"': "string"}
    return exp.Case(
        this=first,
        ifs=[
            exp.If(this=exp.Literal.string(c), true=exp.Literal.string(word))
            for c, word in words.items()
        ],
        default=exp.Literal.string("number"),
    )


def _item_sql(leaf_type: str) -> str:
    item = LEAVES[leaf_type].item
    if item is None:
        raise AssertionError(f"BUG: leaves of type {leaf_type} are no lists")
    return LEAVES[item].sql


def _items(column: exp.Expr, item: str) -> exp.Expr:
    """Returns a list of JSON texts as a list of a scalar type."""
    x = exp.to_identifier("x")
    one = exp.Anonymous(
        this="json_extract_string",
        expressions=[exp.cast(exp.column("x"), "JSON"), exp.Literal.string("$")],
    )
    return exp.Anonymous(
        this="list_transform",
        expressions=[column.copy(), exp.Lambda(this=_try_cast(one, item), expressions=[x])],
    )


def is_set(column: exp.Expr) -> exp.Expr:
    """Returns whether a value is there."""
    return exp.Not(this=exp.Is(this=column.copy(), expression=exp.null()))


def _try_cast(value: exp.Expr, sql_type: str) -> exp.Expr:
    return exp.TryCast(this=value.copy(), to=exp.DataType.build(sql_type, dialect="duckdb"))


def first(parts: Sequence[exp.Expr], sql_type: str) -> exp.Expr:
    """Returns the first of values that is there, NULL of a type where none can be."""
    if not parts:
        return null(sql_type)
    if len(parts) == 1:
        return parts[0]
    return exp.Coalesce(this=parts[0], expressions=list(parts[1:]))
