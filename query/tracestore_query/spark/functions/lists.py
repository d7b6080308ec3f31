"""Functions of lists, structs and maps: places count from 1 in both, from the end below 0."""

from __future__ import annotations

from typing import Final

from tracestore_query.spark.calls import Builder, Call, Typed, converted, template
from tracestore_query.spark.functions.nested_orders import is_nested, ordered
from tracestore_query.spark.functions.texts import joined_lists
from tracestore_query.spark.names import named, text
from tracestore_query.spark.types import INTEGERS


def _item(call: Call) -> str:
    if call.arguments[0].type.name == "STRUCT":
        return _field(call)
    if call.arguments[0].type.name == "VARCHAR":
        place = call.constant(1)
        if place is None or place < 1:
            raise call.refused("of a text from its end", "use substring")
        return f"substring({call[0]}, {int(place)}, 1)"
    if call.arguments[0].type.name == "MAP":
        return f"try_element_at({call[0]}, {call[1]})"
    place = call.arguments[1]
    if place.is_constant and place.constant and abs(place.constant) < 2**31:
        return f"try_element_at({call[0]}, {int(place.constant)})"
    return call.scope.let(
        f"try_cast({place.sql} AS INT)",
        lambda at: f"IF({at} = 0, NULL, try_element_at({call[0]}, IF({at} = 0, 1, {at})))",
    )


def _field(call: Call) -> str:
    key = call.constant(1)
    parts = call.arguments[0].type.parts
    if isinstance(key, int):
        name = parts[key - 1][0]
    else:
        name = next(name for name, _ in parts if name.lower() == str(key).lower())
    return f"{call[0]}.{named(name)}"


def _slice(call: Call) -> str:
    """Returns the items between two places, both included; below 0 they count from the end."""
    if len(call.arguments) > 3:
        raise call.refused("with a step", "filter the items")
    if not call.arguments[0].type.is_list:
        raise call.refused("of a text", "use substring")

    # The plan has an empty list for a bound that is left out.
    first, last = (
        otherwise if bound.type.is_list else f"CAST({bound.sql} AS INT)"
        for bound, otherwise in zip(call.arguments[1:], ("1", "-1"), strict=True)
    )

    def made(items: str) -> str:
        size = f"array_size({items})"
        start = f"greatest(IF({first} < 0, {size} + {first} + 1, {first}), 1)"
        stop = f"least(IF({last} < 0, {size} + {last} + 1, {last}), {size})"
        cut = f"slice({items}, {start}, greatest({stop} - {start} + 1, 0))"
        return f"IF({first} IS NULL OR {last} IS NULL, NULL, {cut})"

    return call.let(0, made)


def _contains(call: Call) -> str:
    if not call.arguments[0].type.is_list:
        if call.arguments[0].type.name == "MAP":
            return f"map_contains_key({call[0]}, {call[1]})"
        return f"contains({call[0]}, {call[1]})"
    return call.let(
        0,
        lambda items: call.let(
            1,
            lambda wanted: (
                f"IF({items} IS NULL OR ({wanted} IS NULL AND array_size({items}) > 0), NULL, "
                f"exists({items}, e -> e <=> {wanted}))"
            ),
        ),
    )


def _place(call: Call) -> str:
    """Returns the first place of a value, of NULL too; NULL where it is not there."""

    def found(items: str, wanted: str) -> str:
        of_null = f"array_position(transform({items}, e -> e IS NULL), true)"
        place = f"IF({wanted} IS NULL, {of_null}, array_position({items}, {wanted}))"
        return f"nullif(CAST({place} AS {call.type.spark}), 0)"

    return call.let(0, lambda items: call.let(1, lambda wanted: found(items, wanted)))


def _has(word: str, first: int) -> Builder:
    """Returns whether any or all values of one list that are set are in the other."""

    def build(call: Call) -> str:
        mine, other = call[first], call[1 - first]
        is_in = f"e -> exists({other}, f -> f <=> e)"
        made = f"{word}(filter({mine}, e -> e IS NOT NULL), {is_in})"
        return f"IF({call[0]} IS NULL OR {call[1]} IS NULL, NULL, {made})"

    return build


def _values(call: Call) -> str:
    if not call.arguments:
        return "array()"
    return f"array({', '.join(call.texts)})"


def _struct(call: Call) -> str:
    if len(call.type.parts) != len(call.arguments):
        raise call.refused("without names", "name the fields: {'a': 1}")
    parts = [
        f"{text(name)}, {value}"
        for (name, _), value in zip(call.type.parts, call.texts, strict=True)
    ]
    return f"named_struct({', '.join(parts)})"


def _sorted(*, descending: bool) -> Builder:
    """Returns what sorts a list: NULL comes last, as far as the engine is not told otherwise."""

    def build(call: Call) -> str:
        down = descending
        if len(call.arguments) > 1:
            word = str(call.constant(1)).upper()
            down = word == "DESC" if not descending else down
        nulls_first = False
        if len(call.arguments) > 2:
            nulls_first = "FIRST" in str(call.constant(2)).upper()
        sign = ("1", "-1") if down else ("-1", "1")
        null = ("-1", "1") if nulls_first else ("1", "-1")
        a, b = (ordered(Typed(each, call.arguments[0].type.item)) for each in "ab")
        order = (
            f"CASE WHEN a IS NULL AND b IS NULL THEN 0 WHEN a IS NULL THEN {null[0]} "
            f"WHEN b IS NULL THEN {null[1]} WHEN {a} < {b} THEN {sign[0]} "
            f"WHEN {a} > {b} THEN {sign[1]} ELSE 0 END"
        )
        return f"array_sort({call[0]}, (a, b) -> {order})"

    return build


def _distinct(call: Call) -> str:
    return f"array_distinct(filter({call[0]}, e -> e IS NOT NULL))"


def _range(*, closed: bool) -> Builder:
    def build(call: Call) -> str:
        if any(each.type.name not in INTEGERS for each in call.arguments):
            raise call.refused("of times", "use a list of numbers")
        start, stop = ("0L", call[0]) if len(call.arguments) == 1 else (call[0], call[1])
        step = call[2] if len(call.arguments) > 2 else "1L"
        if len(call.arguments) > 2 and (not call.arguments[2].is_constant or call.constant(2) < 1):
            raise call.refused("that goes down", "sort the items")
        last = stop if closed else f"{stop} - 1L"
        return f"IF({start} > {last}, CAST(array() AS {call.type.spark}), sequence({start}, {last}, {step}))"

    return build


def _joined(call: Call) -> str:
    return f"array_join({call[0]}, {call[1]})"


def _reduced(call: Call, name: str, items: str, others: list[str]) -> str:
    """Returns what an aggregate makes of a list; NULL of an empty one."""
    set_items = f"filter({items}, e -> e IS NOT NULL)"
    counted = f"CAST(array_size({set_items}) AS BIGINT)"
    separator = others[0] if others else text(",")
    makers = {
        "sum": lambda: _total(items, call.type.spark),
        "avg": lambda: f"({_total(items, 'DOUBLE')} / nullif({counted}, 0L))",
        "count": lambda: counted,
        "min": lambda: f"array_min({items})",
        "max": lambda: f"array_max({items})",
        "first": lambda: f"try_element_at({items}, 1)",
        "last": lambda: f"try_element_at({items}, -1)",
        "any_value": lambda: f"try_element_at({set_items}, 1)",
        "bool_and": lambda: f"IF({counted} = 0, NULL, forall({set_items}, e -> e))",
        "bool_or": lambda: f"IF({counted} = 0, NULL, exists({set_items}, e -> e))",
        "string_agg": lambda: f"IF({counted} = 0, NULL, array_join({items}, {separator}))",
    }
    if name not in makers:
        raise call.refused(f"with {name}", "unnest the list and use the aggregate")
    return makers[name]()


def _total(items: str, kind: str) -> str:
    step = f"IF(e IS NULL, a, coalesce(a, CAST(0 AS {kind})) + CAST(e AS {kind}))"
    return f"aggregate({items}, CAST(NULL AS {kind}), (a, e) -> CAST({step} AS {kind}))"


def _aggregate(call: Call) -> str:
    name = str(call.constant(1)).lower()
    if name in {"min", "max"} and is_nested(call.arguments[0].type.item):
        raise call.refused(f"with {name} of lists or structs", "unnest the list")
    return call.let(0, lambda items: _reduced(call, name, items, call.texts[2:]))


LISTS: Final[dict[str, Builder]] = {
    "list_extract": _item,
    "list_element": _item,
    "array_extract": _item,
    "element_at": _item,
    "struct_extract": _field,
    "struct_extract_at": _field,
    "list_slice": _slice,
    "array_slice": _slice,
    "contains": _contains,
    "list_contains": _contains,
    "list_has": _contains,
    "array_contains": _contains,
    "array_has": _contains,
    "list_position": _place,
    "list_indexof": _place,
    "array_position": _place,
    "list_has_any": _has("exists", 0),
    "list_has_all": _has("forall", 1),
    "list_value": _values,
    "list_pack": _values,
    "array_value": _values,
    "struct_pack": _struct,
    "row": _struct,
    "list_concat": joined_lists,
    "list_cat": joined_lists,
    "array_concat": joined_lists,
    "array_cat": joined_lists,
    "list_append": lambda call: f"concat(coalesce({call[0]}, array()), array({call[1]}))",
    "array_append": lambda call: f"concat(coalesce({call[0]}, array()), array({call[1]}))",
    "list_prepend": lambda call: f"concat(array({call[0]}), coalesce({call[1]}, array()))",
    "flatten": template("flatten(filter({0}, e -> e IS NOT NULL))"),
    "list_reverse": template("reverse({0})"),
    "array_reverse": template("reverse({0})"),
    "list_sort": _sorted(descending=False),
    "array_sort": _sorted(descending=False),
    "list_reverse_sort": _sorted(descending=True),
    "array_reverse_sort": _sorted(descending=True),
    "list_distinct": _distinct,
    "array_distinct": _distinct,
    "list_unique": lambda call: f"CAST(array_size({_distinct(call)}) AS {call.type.spark})",
    "array_unique": lambda call: f"CAST(array_size({_distinct(call)}) AS {call.type.spark})",
    "array_length": converted("array_size({0})"),
    "cardinality": converted("cardinality({0})"),
    "array_to_string": _joined,
    "list_aggregate": _aggregate,
    "list_aggr": _aggregate,
    "array_aggregate": _aggregate,
    "aggregate": _aggregate,
    "range": _range(closed=False),
    "generate_series": _range(closed=True),
    "map_keys": template("map_keys({0})"),
    "map_values": template("map_values({0})"),
    "map_extract": lambda call: (
        f"filter(array(try_element_at({call[0]}, {call[1]})), e -> e IS NOT NULL)"
    ),
    "map_extract_value": template("try_element_at({0}, {1})"),
    "map": lambda call: f"map_from_arrays({call[0]}, {call[1]})" if call.texts else "map()",
    "map_entries": template("map_entries({0})"),
    "map_contains": template("map_contains_key({0}, {1})"),
}
