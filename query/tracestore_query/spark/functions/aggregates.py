"""Aggregates: what one value each of many rows makes, over groups and over windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tracestore_query.errors import SparkRefusedError
from tracestore_query.spark.calls import Typed
from tracestore_query.spark.functions.nested_orders import is_nested, ordered
from tracestore_query.spark.names import text
from tracestore_query.spark.types import INTEGERS, EngineType


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A call of an aggregate.

    Attributes:
        name: of the function.
        arguments: translated.
        type: of the result.
        is_distinct: whether each value counts once.
        where: the condition of the rows that count; empty for all.
        orders: (text, direction and place of NULL) of the order in which rows are taken.
        over: the window, with the keyword; empty for groups.
        data: what the engine's plan holds of the call beside its arguments.
    """

    name: str
    arguments: Sequence[Typed]
    type: EngineType
    is_distinct: bool = False
    where: str = ""
    orders: Sequence[tuple[str, str]] = ()
    over: str = ""
    data: Any = None

    def __getitem__(self, position: int) -> str:
        """Returns the text of an argument."""
        return self.arguments[position].sql

    def call(self, name: str, *arguments: str, where: str = "") -> str:
        """Returns a call of one of Spark's aggregates over the rows that count and that meet `where`."""
        distinct = "DISTINCT " if self.is_distinct else ""
        both = " AND ".join(f"({each})" for each in (self.where, where) if each)
        rows = f" FILTER (WHERE {both})" if both else ""
        return f"{name}({distinct}{', '.join(arguments)}){rows}{self.over}"

    def refused(self, form: str = "", remedy: str = "use another aggregate") -> SparkRefusedError:
        """Returns the error that names the aggregate."""
        return SparkRefusedError.of(f"function {self.name} {form}".strip(), remedy)


def _plain(name: str) -> Callable[[Aggregate], str]:
    return lambda each: f"CAST({each.call(name, each[0])} AS {each.type.spark})"


def _average(each: Aggregate) -> str:
    """Returns a mean; of integers the sum is exact."""
    if each.arguments[0].type.name not in INTEGERS:
        return _plain("avg")(each)
    total = each.call("sum", f"CAST({each[0]} AS DECIMAL(28,0))")
    return f"(CAST({total} AS DOUBLE) / nullif({each.call('count', each[0])}, 0L))"


def _two(name: str) -> Callable[[Aggregate], str]:
    return lambda each: each.call(name, each[0], each[1])


def _count(each: Aggregate) -> str:
    return each.call("count", each[0] if each.arguments else "1")


def _count_true(each: Aggregate) -> str:
    """Returns how many values are true; NULL of none that is set."""
    return f"CAST({each.call('sum', f'CAST({each[0]} AS BIGINT)')} AS {each.type.spark})"


def _sum(each: Aggregate) -> str:
    """Returns a sum; of integers it has 128 bits."""
    if each.type.name == "HUGEINT":
        return f"CAST({each.call('sum', f'CAST({each[0]} AS DECIMAL(28,0))')} AS {each.type.spark})"
    return f"CAST({each.call('sum', each[0])} AS {each.type.spark})"


def _best(name: str) -> Callable[[Aggregate], str]:
    def build(each: Aggregate) -> str:
        if len(each.arguments) > 1:
            raise each.refused("with a number of values", "use ORDER BY and LIMIT")
        if is_nested(each.arguments[0].type):
            return each.call(f"{name}_by", each[0], ordered(each.arguments[0]))
        return each.call(name, each[0])

    return build


def _by(name: str) -> Callable[[Aggregate], str]:
    def build(each: Aggregate) -> str:
        if len(each.arguments) > 2:
            raise each.refused("with a number of values", "use ORDER BY and LIMIT")
        return each.call(name, each[0], ordered(each.arguments[1]), where=f"{each[0]} IS NOT NULL")

    return build


def _by_all(name: str) -> Callable[[Aggregate], str]:
    return lambda each: each.call(name, each[0], ordered(each.arguments[1]))


def _first(each: Aggregate) -> str:
    if each.orders:
        return f"try_element_at({_ordered_items(each)}, 1)"
    return each.call("first", each[0])


def _last(each: Aggregate) -> str:
    if each.orders:
        return f"try_element_at({_ordered_items(each)}, -1)"
    return each.call("last", each[0])


def _any(each: Aggregate) -> str:
    if each.orders:
        return f"try_element_at(filter({_ordered_items(each)}, e -> e IS NOT NULL), 1)"
    return each.call("any_value", each[0], "true")


def _list(each: Aggregate) -> str:
    return f"nullif({_ordered_items(each)}, array())"


def _ordered_items(each: Aggregate) -> str:
    """Returns the values of rows, NULL among them, as a list in the order that is asked."""
    keys = [f"'k{n}', {key}" for n, (key, _) in enumerate(each.orders)]
    value = f"'v', {each[0]}"
    held = f"named_struct({', '.join([*keys, value])})"
    made = each.call("collect_list", held)
    if each.orders:
        made = f"array_sort({made}, (a, b) -> {_comparison(each.orders)})"
    return f"transform({made}, e -> e.v)"


def _comparison(orders: Sequence[tuple[str, str]]) -> str:
    parts = []
    for n, (_, direction) in enumerate(orders):
        sign = ("1", "-1") if direction.startswith("DESC") else ("-1", "1")
        null = ("-1", "1") if direction.endswith("FIRST") else ("1", "-1")
        a, b = f"a.k{n}", f"b.k{n}"
        parts.append(
            f"WHEN {a} IS NULL AND {b} IS NOT NULL THEN {null[0]} "
            f"WHEN {b} IS NULL AND {a} IS NOT NULL THEN {null[1]} "
            f"WHEN {a} < {b} THEN {sign[0]} WHEN {a} > {b} THEN {sign[1]} "
        )
    return f"CASE {''.join(parts)}ELSE 0 END"


def _joined(each: Aggregate) -> str:
    separator = text(",")
    if len(each.arguments) > 1:
        separator = each[1]
    elif each.data:
        separator = text(str(each.data.get("separator", ",")))
    items = f"filter({_ordered_items(each)}, e -> e IS NOT NULL)"
    return f"IF(array_size({items}) = 0, NULL, array_join({items}, {separator}))"


def _quantiles(each: Aggregate) -> list[float] | float:
    held = each.arguments[1].constant if len(each.arguments) > 1 else None
    if held is None or (isinstance(each.data, dict) and each.data.get("desc")):
        raise each.refused("without a constant fraction", "give one number between 0 and 1")
    if isinstance(held, list):
        return [float(one) for one in held]
    return float(held)


def _continuous(each: Aggregate) -> str:
    if each.arguments[0].type.name not in INTEGERS | {"DOUBLE", "FLOAT", "DECIMAL"}:
        raise each.refused("of what is no number", "use epoch_us of a time")
    fractions = _quantiles(each)
    given = (
        f"array({', '.join(map(repr, fractions))})"
        if isinstance(fractions, list)
        else repr(fractions)
    )
    return f"CAST({each.call('percentile', each[0], given)} AS {each.type.spark})"


def _median(each: Aggregate) -> str:
    if each.arguments[0].type.name not in INTEGERS | {"DOUBLE", "FLOAT", "DECIMAL"}:
        raise each.refused("of what is no number", "use epoch_us of a time")
    return f"CAST({each.call('percentile', each[0], '0.5D')} AS {each.type.spark})"


def _discrete(each: Aggregate) -> str:
    fraction = _quantiles(each)
    if isinstance(fraction, list) or not each.arguments[0].type.is_number or each.is_distinct:
        raise each.refused("in this form", "use quantile_cont")
    rows = f" FILTER (WHERE {each.where})" if each.where else ""
    made = f"percentile_disc({fraction!r}) WITHIN GROUP (ORDER BY {each[0]}){rows}{each.over}"
    return f"CAST({made} AS {each.type.spark})"


def _all(each: Aggregate) -> str:
    return each.call("bool_and", each[0])


AGGREGATES: Final[dict[str, Callable[[Aggregate], str]]] = {
    "count_star": lambda each: each.call("count", "1"),
    "count": _count,
    "count_if": _count_true,
    "countif": _count_true,
    "sum": _sum,
    "sum_no_overflow": _sum,
    "fsum": _plain("sum"),
    "kahan_sum": _plain("sum"),
    "sumkahan": _plain("sum"),
    "avg": _average,
    "mean": _average,
    "favg": _plain("avg"),
    "min": _best("min"),
    "max": _best("max"),
    "arg_min": _by("min_by"),
    "argmin": _by("min_by"),
    "arg_min_null": _by_all("min_by"),
    "arg_max_null": _by_all("max_by"),
    "min_by": _by("min_by"),
    "arg_max": _by("max_by"),
    "argmax": _by("max_by"),
    "max_by": _by("max_by"),
    "first": _first,
    "last": _last,
    "arbitrary": _first,
    "any_value": _any,
    "list": _list,
    "array_agg": _list,
    "string_agg": _joined,
    "group_concat": _joined,
    "listagg": _joined,
    "bool_and": _all,
    "bool_or": lambda each: each.call("bool_or", each[0]),
    "bit_and": lambda each: each.call("bit_and", each[0]),
    "bit_or": lambda each: each.call("bit_or", each[0]),
    "bit_xor": lambda each: each.call("bit_xor", each[0]),
    "stddev": _plain("stddev_samp"),
    "stddev_samp": _plain("stddev_samp"),
    "stddev_pop": _plain("stddev_pop"),
    "variance": _plain("var_samp"),
    "var_samp": _plain("var_samp"),
    "var_pop": _plain("var_pop"),
    "corr": _two("corr"),
    "covar_pop": _two("covar_pop"),
    "covar_samp": _two("covar_samp"),
    "median": _median,
    "quantile_cont": _continuous,
    "quantile_disc": _discrete,
    "quantile": _discrete,
}
