"""The value of a path as an expression over its leaves: the type rules, in one place.

docs/guide/sql.md, "Types", is the table that the tests run against this.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from tracestore.variant import LEAVES
from tracestore_query.bind.values import tagged_values
from tracestore_query.bind.values.types import ITEM, NULL, SPELLED, Kind
from tracestore_query.bind.values.uses import Use, Want
from tracestore_query.language.value_macros import VALUE

Columns = Mapping[str, exp.Expr]
"""The column of each leaf type a path has in the scan."""

_KINDS: dict[str, frozenset[Kind]] = {
    "number": frozenset({Kind.NUMBER}),
    "bool": frozenset({Kind.BOOLEAN}),
    "text": frozenset({Kind.TEXT}),
}
# Integers beyond 64 bits, decimals that no double holds, and what is empty or deep.
_JSON_KINDS = frozenset({Kind.NUMBER, Kind.LIST, Kind.OBJECT})


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a path without reading it.

    Attributes:
        type: the engine's type of its bare value.
        kinds: of its values.
        numbers: the type of its numbers.
        lists: the type of its lists.
    """

    type: str
    kinds: frozenset[Kind]
    numbers: str = "DOUBLE"
    lists: str = f"{ITEM}[]"


def facts_of(leaf_types: Sequence[str]) -> Facts:
    """Returns what the leaf types of a path tell."""
    numbers = {"i64", "f64", "json"} & set(leaf_types)
    return Facts(
        type_of(leaf_types),
        kinds_of(leaf_types),
        "BIGINT" if numbers == {"i64"} else "DOUBLE",
        list_type_of(leaf_types),
    )


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
    return columns["str"].copy() if "str" in columns else tagged_values.null("VARCHAR")


def boolean(columns: Columns) -> exp.Expr:
    """Returns the booleans of a path, NULL where the row has something else."""
    return columns["bool"].copy() if "bool" in columns else tagged_values.null("BOOLEAN")


def present(columns: Columns) -> exp.Expr:
    """Returns TRUE or NULL: whether the row has a value other than null there."""
    parts = [is_set(column) for leaf_type, column in columns.items() if leaf_type != "json"]
    if "json" in columns:
        parts.append(exp.NEQ(this=columns["json"].copy(), expression=exp.Literal.string("null")))
    if not parts:
        return tagged_values.null("BOOLEAN")
    some = parts[0]
    for part in parts[1:]:
        some = exp.Or(this=some, expression=part)
    return exp.Case(ifs=[exp.If(this=exp.paren(some), true=exp.true())])


def kinds_of(leaf_types: Collection[str]) -> frozenset[Kind]:
    """Returns the kinds of the values that leaves of some types hold."""
    kinds: set[Kind] = set()
    for leaf_type in leaf_types:
        kinds |= _kinds_of(leaf_type)
    return frozenset(kinds)


def _kinds_of(leaf_type: str) -> frozenset[Kind]:
    if leaf_type == "json":
        return _JSON_KINDS
    if LEAVES[leaf_type].item is not None:
        return frozenset({Kind.LIST})
    return _KINDS.get(LEAVES[leaf_type].kind, frozenset({Kind.OTHER}))


def type_of(leaf_types: Collection[str]) -> str:
    """Returns the engine's type of the bare value of a path with leaves of some types."""
    types = set(leaf_types)
    if not types:
        return NULL
    if len(types) == 1 and types != {"json"}:
        (leaf_type,) = types
        return f"{ITEM}[]" if leaf_type == "json[]" else LEAVES[leaf_type].sql
    return list_type_of(types) if all(each.endswith("[]") for each in types) else VALUE


def list_type_of(leaf_types: Collection[str]) -> str:
    """Returns the engine's type of the lists among the values of a path."""
    lists = {leaf_type for leaf_type in leaf_types if leaf_type.endswith("[]")}
    if len(lists) == 1 and lists != {"json[]"}:
        return LEAVES[next(iter(lists))].sql
    return "DOUBLE[]" if lists == {"i64[]", "f64[]"} else f"{ITEM}[]"


def bare(columns: Columns) -> exp.Expr:
    """Returns the value itself: in its one type, else tagged."""
    kind = type_of(columns)
    if kind == NULL:
        return exp.null()
    if kind == VALUE:
        return value(columns)
    return listed(columns) if kind.endswith("[]") else next(iter(columns.values())).copy()


def value(columns: Columns) -> exp.Expr:
    """Returns the tagged value, whatever its type."""
    parts = []
    for leaf_type, column in columns.items():
        if leaf_type == "json":
            parts.append(tagged_values.call("__of_json", column.copy()))
        elif leaf_type == "json[]":
            parts.append(tagged_values.tagged(column.copy(), f"{ITEM}[]"))
        else:
            parts.append(tagged_values.tagged(column.copy(), LEAVES[leaf_type].sql))
    return first(parts, VALUE)


def json(columns: Columns) -> exp.Expr:
    """Returns the value as JSON, whatever its type."""
    return first([_as_json(leaf_type, column) for leaf_type, column in columns.items()], "JSON")


def typeof(columns: Columns) -> exp.Expr:
    """Returns the word for the row's own type, NULL where the path is missing."""
    ifs = [
        exp.If(this=is_set(column), true=_type_word(leaf_type, column))
        for leaf_type, column in columns.items()
    ]
    return exp.Case(ifs=ifs) if ifs else tagged_values.null("VARCHAR")


def listed(columns: Columns, item: str | None = None) -> exp.Expr:
    """Returns the lists of a path, with items of a type, or of the one type that all lists have."""
    natural = list_type_of(columns)
    want = item or natural.removesuffix("[]")
    parts = []
    for leaf_type, column in columns.items():
        if leaf_type.endswith("[]"):
            held = ITEM if leaf_type == "json[]" else LEAVES[leaf_type].sql.removesuffix("[]")
            parts.append(_list(column.copy(), held, want))
    return first(parts, "VARCHAR[]" if want in {ITEM, SPELLED} else f"{want}[]")


def _list(column: exp.Expr, held: str, want: str) -> exp.Expr:
    numbers = {held, want} == {"BIGINT", "DOUBLE"}
    if numbers and want == "DOUBLE":
        return exp.cast(column, "DOUBLE[]")
    return tagged_values.listed(column, held, want)


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


def of_use(columns: Columns, want: Want) -> exp.Expr:
    """Returns the value of leaves for a use."""
    if want.use is Use.CAST and want.to is not None:
        return converted(columns, want.to)
    if want.use is Use.LIST:
        return listed(columns, want.item)
    value = _BY_USE.get(want.use, bare)(columns)
    return value if want.to is None else exp.TryCast(this=value, to=want.to.copy())


def object_of_use(text: exp.Expr, want: Want) -> exp.Expr:
    """Returns an object, given as JSON text, for a use that takes objects."""
    if want.use in {Use.BARE, Use.VALUE}:
        return tagged_values.call("__of_object", text)
    if want.use is Use.TYPEOF:
        word = exp.If(this=is_set(text), true=exp.Literal.string("object"))
        return exp.Case(ifs=[word])
    if want.use is Use.CAST and want.to is not None and want.to.this != exp.DType.JSON:
        if want.to.this in exp.DataType.TEXT_TYPES:
            return text
        return exp.TryCast(this=exp.cast(text, "JSON"), to=want.to.copy())
    return exp.cast(text, "JSON")


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


def is_set(column: exp.Expr) -> exp.Expr:
    """Returns whether a value is there."""
    return exp.Not(this=exp.Is(this=column.copy(), expression=exp.null()))


def _try_cast(value: exp.Expr, sql_type: str) -> exp.Expr:
    return exp.TryCast(this=value.copy(), to=exp.DataType.build(sql_type, dialect="duckdb"))


def first(parts: Sequence[exp.Expr], sql_type: str) -> exp.Expr:
    """Returns the first of values that is there, NULL of a type where none can be."""
    if not parts:
        return tagged_values.null(sql_type)
    if len(parts) == 1:
        return parts[0]
    return exp.Coalesce(this=parts[0], expressions=list(parts[1:]))


_BY_USE = {
    Use.NUMBER: number,
    Use.TEXT: text,
    Use.BOOL: boolean,
    Use.PRESENT: present,
    Use.TYPEOF: typeof,
    Use.JSON: json,
    Use.VALUE: value,
}
