"""Joins of the engine's plan as Spark SQL, those that stand for subqueries among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from tracestore_query.errors import SparkRefusedError
from tracestore_query.spark.calls import Typed
from tracestore_query.spark.expressions import Expressions
from tracestore_query.spark.names import column
from tracestore_query.spark.relations import Context, Relation, items
from tracestore_query.spark.types import EngineType

_BOOLEAN: Final = EngineType("BOOLEAN")
_WORDS: Final = {
    "INNER": "INNER JOIN",
    "LEFT": "LEFT JOIN",
    "RIGHT": "RIGHT JOIN",
    "OUTER": "FULL OUTER JOIN",
    "FULL": "FULL OUTER JOIN",
    "SEMI": "LEFT SEMI JOIN",
    "ANTI": "LEFT ANTI JOIN",
}
Relations = Callable[[Any, Context], Relation]


def crossed(left: Relation, right: Relation) -> Relation:
    """Returns each row of one side beside each of the other."""
    return _joined(left, right, "CROSS JOIN", "")


def positional(node: Any, _: Context) -> Relation:
    """Refuses joins by the place of rows, or by the nearest time."""
    word = str(node["type"]).removeprefix("LOGICAL_").replace("_", " ")
    raise SparkRefusedError.of(word, "join by a condition")


def any_joined(node: Any, context: Context, relation: Relations) -> Relation:
    """Returns a join by a condition over both sides."""
    left, right = (relation(child, context) for child in node["children"])
    both = [*left.columns("l"), *right.columns("r")]
    condition = context.expressions(both).text(node["condition"])
    kind = str(node.get("join_type", "INNER"))
    if kind in {"MARK", "SINGLE"}:
        raise SparkRefusedError.of("a subquery compared by a condition", "write it as a join")
    return _joined(left, right, _word(kind), condition, node)


def compared_joined(node: Any, context: Context, relation: Relations) -> Relation:
    """Returns a join by comparisons of both sides."""
    left = relation(node["children"][0], context)
    right = relation(node["children"][1], context)
    kind = str(node.get("join_type", "INNER"))
    conditions = list(node.get("conditions", ()))
    compare = _Conditions(
        context.expressions(left.columns("l")), context.expressions(right.columns("r"))
    )
    if kind == "MARK":
        kept = node.get("left_projection_map") or range(len(left.types))
        return _marked(left, right, conditions, context, kept)
    if kind == "SINGLE":
        right = _single(right, conditions, context)
        return _joined(left, right, "LEFT JOIN", compare.text(conditions), node)
    return _joined(left, right, _word(kind), compare.text(conditions), node)


class _Conditions:
    """What makes texts of the comparisons of a join."""

    def __init__(self, left: Expressions, right: Expressions) -> None:
        self._left = left
        self._right = right

    def text(self, conditions: Sequence[Any]) -> str:
        """Returns all of them."""
        return " AND ".join(self.one(each) for each in conditions)

    def one(self, condition: Any) -> str:
        """Returns one of them."""
        left, right = self._left.typed(condition["left"]), self._right.typed(condition["right"])
        return self._left.compared(condition["comparison"], left, right)


def _word(kind: str) -> str:
    if kind not in _WORDS:
        raise SparkRefusedError.of(f"{kind} JOIN", "write it as another join")
    return _WORDS[kind]


def _joined(
    left: Relation, right: Relation, word: str, condition: str, node: Any = None
) -> Relation:
    count = len(left.types)
    lefts = [f"l.{column(at)}" for at in range(count)]
    kinds = [*left.types]
    rights: list[str] = []
    if word not in {_WORDS["SEMI"], _WORDS["ANTI"]}:
        rights = [f"r.{column(at)}" for at in range(len(right.types))]
        kinds += right.types
    on = f" ON {condition}" if condition else ""
    sql = f"SELECT {items([*lefts, *rights])} FROM ({left.sql}) l {word} ({right.sql}) r{on}"
    made = Relation(sql, tuple(kinds))
    return _narrowed(made, count, node or {})


def _narrowed(made: Relation, count: int, node: Any) -> Relation:
    """Returns the columns of a join that the plan keeps of each side."""
    lefts, rights = node.get("left_projection_map"), node.get("right_projection_map")
    if not lefts and not rights:
        return made
    kept = [*(lefts or range(count))]
    kept += [count + at for at in (rights or range(len(made.types) - count))]
    sql = f"SELECT {items([column(at) for at in kept])} FROM ({made.sql})"
    return Relation(sql, tuple(made.types[at] for at in kept))


def _single(right: Relation, conditions: Sequence[Any], context: Context) -> Relation:
    """Returns at most one row for each key; more are an error, as of a subquery that gives one value."""
    expressions = context.expressions(right.columns())
    keys = [expressions.text(each["right"]) for each in conditions]
    names = [column(at) for at in range(len(right.types))]
    partition = f"PARTITION BY {', '.join(keys)}" if keys else ""
    counted = f"SELECT *, count(1) OVER ({partition}) AS __rows FROM ({right.sql})"
    error = "raise_error('more than one row returned by a subquery used as an expression')"
    first = f"IF(__rows > 1, {error}, {names[0]})"
    listed = items([first, *names[1:]])
    return Relation(f"SELECT {listed} FROM ({counted})", right.types)


def _marked(
    left: Relation,
    right: Relation,
    conditions: Sequence[Any],
    context: Context,
    kept: Sequence[int],
) -> Relation:
    """Returns the rows of one side with whether the other has a match: NULL where that is not known."""
    lefts = context.expressions(left.columns("l"))
    rights = context.expressions(right.columns())
    exact = [each for each in conditions if "NOT_DISTINCT" in each["comparison"]]
    open_ = [each for each in conditions if "NOT_DISTINCT" not in each["comparison"]]
    values = [rights.typed(each["right"]) for each in (*exact, *open_)]
    held = Relation(
        f"SELECT DISTINCT {items([value.sql for value in values])} FROM ({right.sql})",
        tuple(value.type for value in values),
    )
    if any(each["comparison"] != "COMPARE_EQUAL" for each in open_):
        raise SparkRefusedError.of("ANY or ALL with another comparison than =", "use min or max")
    if len(open_) > 1:
        # Whether it is not known depends on pairs of columns that are both set.
        raise SparkRefusedError.of("IN of several columns as a value", "use EXISTS or a join")

    def matching(qualifier: str, compared: Sequence[Any]) -> str:
        pairs = zip(compared, held.columns(qualifier), strict=False)
        texts = [
            lefts.compared(each["comparison"], lefts.typed(each["left"]), value)
            for each, value in pairs
        ]
        return " AND ".join(texts) or "true"

    found = "coalesce(r.found, false)"
    rows = f"({left.sql}) l LEFT JOIN (SELECT *, true AS found FROM ({held.sql})) r"
    rows += f" ON {matching('r', [*exact, *open_])}"
    if open_:
        rows += f" LEFT JOIN ({_gaps(held, len(exact))}) s ON {matching('s', exact)}"
        gaps = ["s.has_gap", *(f"{lefts.text(each['left'])} IS NULL" for each in open_)]
        is_unknown = f"s.has_gap IS NOT NULL AND ({' OR '.join(gaps)})"
        found = f"CASE WHEN r.found THEN true WHEN {is_unknown} THEN NULL ELSE false END"
    names = [f"l.{column(at)}" for at in kept]
    sql = f"SELECT {items([*names, found])} FROM {rows}"
    return Relation(sql, (*(left.types[at] for at in kept), _BOOLEAN))


def _gaps(held: Relation, keys: int) -> str:
    """Returns, for the rows of each key, whether one lacks a value: of subqueries over joins Spark forgets columns."""
    names = [column(at) for at in range(len(held.types))]
    gap = " OR ".join(f"{name} IS NULL" for name in names[keys:])
    listed = ", ".join([*names[:keys], f"bool_or({gap}) AS has_gap"])
    groups = f" GROUP BY {', '.join(names[:keys])}" if keys else ""
    return f"SELECT {listed} FROM ({held.sql}){groups}"


__all__ = ["Typed", "any_joined", "compared_joined", "crossed", "positional"]
