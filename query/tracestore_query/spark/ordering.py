"""Orders of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tracestore_query.errors import SparkRefusedError
from tracestore_query.spark.expressions import Expressions
from tracestore_query.spark.functions.nested_orders import ordered

_DESCENDING: Final = frozenset({"ORDER_DESCENDING", "DESCENDING"})
_FIRST: Final = frozenset({"NULLS_FIRST", "NULLS FIRST"})


def direction(order: Any) -> str:
    """Returns the direction and the place of NULL, as Spark writes them."""
    word = "DESC" if order.get("type") in _DESCENDING else "ASC"
    return f"{word} NULLS {'FIRST' if order.get('null_order') in _FIRST else 'LAST'}"


def keys(orders: Sequence[Any], expressions: Expressions) -> list[tuple[str, str]]:
    """Returns the text of each key, with its direction.

    Raises:
        SparkRefusedError: where Spark cannot compare what rows are ordered by.
    """
    made = []
    for order in orders:
        key = expressions.typed(order["expression"])
        if key.type.name in {"MAP", "INTERVAL"}:
            raise SparkRefusedError.of(f"an order by {key.type.name}", "order by its parts")
        made.append((ordered(key), direction(order)))
    return made


def order_text(orders: Sequence[Any], expressions: Expressions) -> str:
    """Returns the list behind ORDER BY."""
    return ", ".join(f"{key} {way}" for key, way in keys(orders, expressions))
