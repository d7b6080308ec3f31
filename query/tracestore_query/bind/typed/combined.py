"""Values that stand beside one another: brought to one type, so that they compare and each row keeps its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from sqlglot import exp

from tracestore_query.bind.values import tagged_values
from tracestore_query.bind.values.sources import Absent, Bound
from tracestore_query.bind.values.types import ITEM, NULL, Kind, item_type, kind_of
from tracestore_query.bind.values.uses import BARE, VALUE, Use, Want
from tracestore_query.language.value_macros import EXACT_INTEGERS
from tracestore_query.language.value_macros import VALUE as VALUE_TYPE

_SCALARS: Final = frozenset({Kind.NUMBER, Kind.TEXT, Kind.BOOLEAN})
_OF_KIND: Final = {Kind.NUMBER: "DOUBLE", Kind.TEXT: "VARCHAR", Kind.BOOLEAN: "BOOLEAN"}

TypeOf = Callable[[Bound], str | None]
Settle = Callable[[Bound], None]

_TAGGED: Final = frozenset({Kind.NUMBER, Kind.TEXT, Kind.BOOLEAN, Kind.JSON, Kind.LIST})


def compare(
    sides: Sequence[Bound], type_of: TypeOf, settle: Settle, *, ordered: bool = False
) -> None:
    """Takes both sides of a comparison, or a value and those it is compared with.

    Where all that is beside paths has one kind, the values of that kind count; else values compare as values.
    """
    waiting = [side for side in sides if side.source is not None]
    if not waiting:
        return
    beside = [side for side in sides if side.source is None and type_of(side) != NULL]
    kinds = {kind_of(side.type or "") for side in beside}
    if any(side.type is None for side in beside):
        for side in waiting:
            settle(side)
        return
    if not beside:
        _compare_paths(waiting, settle, ordered=ordered)
    elif len(kinds) == 1:
        _compare_with(waiting, beside, next(iter(kinds)))
    else:
        for side in sides:
            as_value(side, type_of)


def as_values_where_kinds_differ(sides: Sequence[Bound], type_of: TypeOf) -> bool:
    """Takes sides as values where one may hold what is not of the other's kind; returns whether it did."""
    sources = [side.source for side in sides if side.source is not None]
    beside = [side for side in sides if side.source is None and type_of(side) != NULL]
    kinds = {kind_of(side.type or "") for side in beside}
    may_differ = any(not source.kinds <= kinds for source in sources)
    is_known = all(isinstance(side.node, exp.Literal) for side in beside)
    if len(kinds) != 1 or not kinds <= _SCALARS or is_known or not may_differ:
        return False
    for side in sides:
        as_value(side, type_of)
    return True


def _compare_paths(sides: Sequence[Bound], settle: Settle, *, ordered: bool) -> None:
    """Takes paths beside one another: of one type as they are, else as values."""
    types = {side.source.type for side in sides if side.source is not None} - {NULL}
    kinds = {kind_of(each) for each in types}
    if kinds == {Kind.LIST} and len(types) > 1:
        for side in sides:
            side.take(Want(Use.LIST, item=VALUE_TYPE))
    elif len(types) <= 1:
        for side in sides:
            settle(side)
    elif ordered and len(one := kinds & _SCALARS) == 1 and len(kinds) == 2:
        # One side is of one kind in all rows: values of that kind have an order with it.
        wanted = tagged_values.use_of_type(_OF_KIND[next(iter(one))])
        for side in sides:
            side.take(wanted)
    else:
        for side in sides:
            side.take(BARE if isinstance(side.source, Absent) else VALUE)


def _compare_with(waiting: Sequence[Bound], beside: Sequence[Bound], kind: Kind) -> None:
    """Takes paths beside what has a type of its own."""
    first = beside[0].type or ""
    if kind is Kind.JSON:
        for side in (*waiting, *beside):
            as_value(side, lambda other: other.type)
    elif kind is Kind.LIST:
        _compare_lists(waiting, beside, first)
    elif kind is Kind.NUMBER and _needs_exact(waiting, beside):
        for side in (*waiting, *beside):
            as_number_value(side)
    else:
        for side in waiting:
            side.take(_use_beside(first, kind))


def _use_beside(sql_type: str, kind: Kind) -> Want:
    if kind is Kind.NUMBER:
        return Want(Use.NUMBER)
    if kind in {Kind.OTHER, Kind.OBJECT}:
        return Want(Use.CAST, tagged_values.data_type(sql_type))
    return tagged_values.use_of_type(sql_type)


def _compare_lists(waiting: Sequence[Bound], beside: Sequence[Bound], first: str) -> None:
    """Takes lists beside lists: of one type as they are, else with values as items."""
    if ITEM not in first and all(side.source and side.source.type == first for side in waiting):
        for side in waiting:
            side.take(BARE)
        return
    for side in waiting:
        side.take(Want(Use.LIST, item=VALUE_TYPE))
    for side in beside:
        held = item_type(side.type or "")
        side.put(tagged_values.listed(side.node.copy(), held, VALUE_TYPE))


def _needs_exact(waiting: Sequence[Bound], beside: Sequence[Bound]) -> bool:
    """Tells whether integers that no double holds may stand beside doubles."""
    if all(_is_small(side) for side in beside):
        return False
    return any(side.source and side.source.numbers != "BIGINT" for side in waiting)


def _is_small(side: Bound) -> bool:
    """Tells whether a number tells integers apart that become doubles: a literal that is none of the large ones."""
    node = side.node
    while isinstance(node, exp.Neg | exp.Paren):
        node = node.this
    if isinstance(node, exp.Literal) and not node.is_string:
        return abs(float(str(node.this))) < EXACT_INTEGERS
    return side.type in {"DOUBLE", "FLOAT", "INTEGER", "SMALLINT", "TINYINT", "UINTEGER"}


def as_number_value(side: Bound) -> None:
    """Takes the numbers of an expression as values, which keep integers exact."""
    if side.source is None:
        side.put(tagged_values.tagged(side.node.copy(), side.type or ""))
        return
    value = side.source.convert(VALUE)
    is_number = exp.EQ(
        this=exp.Dot(this=exp.paren(value), expression=exp.to_identifier("__kind")),
        expression=exp.Literal.number(1),
    )
    if side.source.kinds == {Kind.NUMBER}:
        side.put(value)
    else:
        side.put(exp.Case(ifs=[exp.If(this=is_number, true=value.copy())]))


def as_value(side: Bound, type_of: TypeOf) -> None:
    """Takes an expression as tagged values."""
    if side.source is not None:
        if isinstance(side.source, Absent):
            side.take(BARE)
        else:
            side.take(VALUE)
        return
    sql_type = type_of(side)
    if sql_type is not None and sql_type != NULL:
        side.put(tagged_values.tagged(side.node.copy(), sql_type))


def among(
    left: Bound, items: Bound, type_of: TypeOf, settle: Settle, *, ordered: bool = False
) -> None:
    """Takes a value and the list whose items it is compared with."""
    held, looked_for = type_of(items), type_of(left)
    if items.source is None and left.source is None:
        return
    if held is not None and held.endswith("]") and ITEM not in held and VALUE_TYPE not in held:
        same = left.source is None and kind_of(item_type(held)) is kind_of(looked_for or "")
        if same or (left.source is not None and left.source.type == item_type(held)):
            settle(items)
            if left.source is not None:
                left.take(BARE)
            return
        if ordered and left.source is not None and kind_of(item_type(held)) in _SCALARS:
            # Items are of one kind: values of that kind have an order with them.
            settle(items)
            left.take(tagged_values.use_of_type(item_type(held)))
            return
    as_value(left, type_of)
    if items.source is not None:
        items.take(BARE if isinstance(items.source, Absent) else Want(Use.LIST, item=VALUE_TYPE))
    elif held is not None and held.endswith("]"):
        items.put(tagged_values.listed(items.node.copy(), item_type(held), VALUE_TYPE))


def unify(sides: Sequence[Bound], type_of: TypeOf) -> str | None:
    """Brings values to one type, of which each row gives one; returns it, None where it is not known."""
    types = [type_of(side) for side in sides]
    known = {each for each in types if each is not None and each != NULL}
    kinds = {kind_of(each) for each in known}
    if None in types:
        for side in sides:
            side.take(BARE)
        return None
    others = kinds - _TAGGED - {Kind.OTHER, Kind.OBJECT}
    plain = not {VALUE_TYPE, ITEM, f"{ITEM}[]"} & known
    if plain and (len(known) <= 1 or kinds == {Kind.NUMBER}):
        for side in sides:
            side.take(BARE)
        return _number_type(known) if len(known) > 1 else next(iter(known), NULL)
    if others:
        wanted = next(each for each in types if each is not None and kind_of(each) in others)
        for side in sides:
            side.take(tagged_values.use_of_type(wanted))
        return wanted
    if kinds == {Kind.LIST}:
        for side, sql_type in zip(sides, types, strict=True):
            _as_value_list(side, sql_type or NULL)
        return f"{VALUE_TYPE}[]"
    for side in sides:
        as_value(side, type_of)
    return VALUE_TYPE


def _as_value_list(side: Bound, sql_type: str) -> None:
    if isinstance(side.source, Absent) or sql_type == NULL:
        side.take(BARE)
    elif side.source is not None:
        side.take(Want(Use.LIST, item=VALUE_TYPE))
    else:
        side.put(tagged_values.listed(side.node.copy(), item_type(sql_type), VALUE_TYPE))


def _number_type(known: set[str]) -> str:
    if known <= {"INTEGER", "BIGINT", "SMALLINT", "TINYINT"}:
        return "BIGINT"
    return "DOUBLE"
