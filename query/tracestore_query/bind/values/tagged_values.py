"""Tagged values: made of what the engine has a type for, and taken for a use."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp
from sqlglot.errors import ParseError

from tracestore_query.bind.values.types import (
    ITEM,
    NULL,
    SPELLED,
    Kind,
    is_integer,
    item_type,
    kind_of,
)
from tracestore_query.bind.values.uses import Use, Want
from tracestore_query.language.value_macros import VALUE

_WIDE_INTEGERS = frozenset({"HUGEINT", "UBIGINT", "UHUGEINT", "BIGNUM"})
_PARAMETER = "__x"


def call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """Returns a call of one of the engine's functions or macros."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def data_type(sql_type: str) -> exp.DataType:
    """Returns the node of a type as the engine spells it."""
    try:
        return exp.DataType.build(sql_type, dialect="duckdb")
    except ParseError:
        # One that only the engine has a spelling for, such as TUPLE(...).
        return exp.DataType(this=exp.DType.USERDEFINED, kind=sql_type)


def try_cast(value: exp.Expr, sql_type: str) -> exp.Expr:
    """Returns a value converted, NULL where it cannot be."""
    return exp.TryCast(this=value, to=data_type(sql_type))


def null(sql_type: str) -> exp.Expr:
    """Returns a NULL of a type."""
    return exp.cast(exp.null(), data_type(sql_type))


def each(items: exp.Expr, convert: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """Returns a list with every item converted."""
    name = exp.to_identifier(_PARAMETER, quoted=True)
    body = exp.Lambda(this=convert(exp.column(name.copy())), expressions=[name])
    return call("list_transform", items, body)


def tagged(value: exp.Expr, sql_type: str) -> exp.Expr:
    """Returns a value of one of the engine's types as a tagged one."""
    kind = kind_of(sql_type)
    if sql_type in {VALUE, NULL}:
        return value
    if sql_type in {ITEM, "JSON"}:
        return call("__of_json", value)
    if kind is Kind.NUMBER:
        return _number(value, sql_type)
    if kind in {Kind.LIST, Kind.OBJECT}:
        return _container(value, sql_type, kind)
    is_boolean = kind is Kind.BOOLEAN
    return (
        call("__of_boolean", value) if is_boolean else call("__of_text", _spelled(value, sql_type))
    )


def _container(value: exp.Expr, sql_type: str, kind: Kind) -> exp.Expr:
    if kind is Kind.LIST:
        return call("__of_array", list_text(value, item_type(sql_type)))
    return call("__of_object", exp.cast(call("to_json", value), "VARCHAR"))


def _number(value: exp.Expr, sql_type: str) -> exp.Expr:
    if is_integer(sql_type):
        return call("__of_integer", value)
    if sql_type in _WIDE_INTEGERS:
        return call("__of_number", exp.cast(value, "VARCHAR"))
    return call("__of_double", value)


def _spelled(value: exp.Expr, sql_type: str) -> exp.Expr:
    if sql_type == "VARCHAR":
        return value
    return call("to_base64", value) if sql_type == "BLOB" else exp.cast(value, "VARCHAR")


def list_text(value: exp.Expr, item: str) -> exp.Expr:
    """Returns the JSON text of a list."""
    if item == VALUE:
        value = each(value, lambda one: call("__as_json", one))
    elif item == ITEM:
        value = exp.cast(value, "JSON[]")
    return exp.cast(call("to_json", value), "VARCHAR")


def listed(value: exp.Expr, item: str, want: str | None) -> exp.Expr:
    """Returns a list with items of another type: those of its kind count, others are NULL."""
    if want is None or want == item:
        return value
    return each(value, lambda one: of_type(one, item, want))


def of_type(value: exp.Expr, sql_type: str, want: str) -> exp.Expr:
    """Returns a value as one of a type, NULL where its kind is another."""
    kind = kind_of(sql_type)
    if want == sql_type:
        return value
    if want in _OF_ANY:
        return _of_any(value, sql_type, want)
    if sql_type in {VALUE, ITEM}:
        return of_use(tagged(value, sql_type), use_of_type(want))
    if kind_of(want) is not kind:
        return null(want)
    if kind is Kind.LIST:
        return listed(value, item_type(sql_type), item_type(want))
    return try_cast(value, want)


_OF_ANY = frozenset({VALUE, ITEM, SPELLED, "JSON"})


def _of_any(value: exp.Expr, sql_type: str, want: str) -> exp.Expr:
    """Returns a value as one of a type that takes every kind."""
    if want == ITEM:
        return exp.cast(call("to_json", value), "VARCHAR")
    value = tagged(value, sql_type)
    if want == VALUE:
        return value
    return call("__as_varchar" if want == SPELLED else "__as_json", value)


def use_of_type(sql_type: str) -> Want:
    """Returns the use of values where a place asks for a type."""
    kind = kind_of(sql_type)
    if sql_type == VALUE:
        return Want(Use.VALUE)
    if kind is Kind.NUMBER and sql_type != "DOUBLE":
        return Want(Use.NUMBER, data_type(sql_type))
    if kind is Kind.LIST:
        return Want(Use.LIST, item=item_type(sql_type))
    # Times and the like are spelled as strings.
    return _USES.get(kind) or Want(Use.TEXT, data_type(sql_type))


_USES = {
    Kind.NUMBER: Want(Use.NUMBER),
    Kind.TEXT: Want(Use.TEXT),
    Kind.BOOLEAN: Want(Use.BOOL),
    Kind.JSON: Want(Use.JSON),
}


def of_use(value: exp.Expr, want: Want) -> exp.Expr:
    """Returns a tagged value for a use."""
    taken = _taken(value, want)
    if want.to is not None and want.use in {Use.NUMBER, Use.TEXT}:
        return exp.TryCast(this=taken, to=want.to.copy())
    return taken


def _taken(value: exp.Expr, want: Want) -> exp.Expr:
    use = want.use
    if use in _MACROS:
        return call(_MACROS[use], value)
    if use is Use.LIST:
        items = try_cast(call("__as_container", value), "JSON[]")
        return listed(items, ITEM, want.item)
    if use is Use.CAST and want.to is not None:
        if want.to.this == exp.DType.JSON:
            return call("__as_json", value)
        return converted(value, want.to)
    return value


def converted(value: exp.Expr, to: exp.DataType) -> exp.Expr:
    """Returns a tagged value converted to a type, NULL where it cannot be: as its own kind is converted."""
    if to.this in exp.DataType.NESTED_TYPES:
        return exp.TryCast(this=call("__as_json", value), to=to.copy())
    if to.this in exp.DataType.TEXT_TYPES:
        text = call("__as_varchar", value)
        return text if to == data_type("VARCHAR") else exp.TryCast(this=text, to=to.copy())

    def of_one(one: exp.Expr) -> exp.Expr:
        first, *others = (
            exp.TryCast(this=call(name, one.copy()), to=to.copy())
            for name in ("__as_whole", "__as_fraction", "__as_boolean", "__as_text")
        )
        return exp.Coalesce(this=first, expressions=others)

    # In a list of one, so that what gives the value stands in the text once.
    return call("list_extract", each(exp.Array(expressions=[value]), of_one), exp.Literal.number(1))


_MACROS = {
    Use.NUMBER: "__as_number",
    Use.TEXT: "__as_text",
    Use.BOOL: "__as_boolean",
    Use.JSON: "__as_json",
    Use.TYPEOF: "__type_word",
}
