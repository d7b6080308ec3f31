"""Random statements: FROM with joins, subqueries, CTEs, groups, windows, set operations, order and limit."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Any

from sql.statements.expression import Expression, joined, made, same
from sql.statements.sources import Sources
from sql.statements.values import Scope

KINDS = ("num", "text", "bool", "value", "nums", "texts", "time", "values")
SET_KINDS = ("num", "text", "bool", "value", "nums", "texts", "time")
AGGREGATES = (
    "count",
    "sum",
    "min",
    "max",
    "avg",
    "count_distinct",
    "list",
    "arg_max",
    "string_agg",
    "bool_or",
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement in two languages.

    Attributes:
        ours: as the store takes it.
        plain: as plain DuckDB takes it.
        ordered: whether its rows have one order.
        parameters: the values that it is asked with, one set after the other.
    """

    ours: str
    plain: str
    ordered: bool
    parameters: list[dict[str, Any]]


class Statements(Sources):
    """A maker of statements over tables of some columns."""

    def statement(self) -> Statement:
        """Returns a new statement."""
        self.parameters = {}
        self._names = 0
        ctes: list[Expression] = []
        self.ctes = {}
        for _ in range(self.chance.choice([0, 0, 0, 1, 2])):
            text, columns = self.query(1, [])
            name = self.name("w")
            form = self.chance.choice(["{} AS ({{}})", "{} AS MATERIALIZED ({{}})"]).format(name)
            ctes.append(made(form, text))
            self.ctes[name] = columns
        text, columns = self.query(2, [])
        ordered = self.chance.random() < 0.4
        if ordered:
            text = self._ordered(text, columns)
        if ctes:
            text = made("WITH {} {}", joined(ctes), text)
        named = {name: self.parameters[name] for name in re.findall(r"\$(v\d+)", text.ours)}
        count = max((len(values) for values in named.values()), default=1)
        asked = [{name: values[i] for name, values in named.items()} for i in range(count)]
        return Statement(text.ours, text.plain, ordered, asked)

    def query(self, depth: int, outer: list[Expression]) -> tuple[Expression, list[Expression]]:
        """Returns a SELECT or a set operation, and its columns."""
        if depth > 0 and self.chance.random() < 0.15:
            kinds = [self.chance.choice(SET_KINDS) for _ in range(self.chance.randint(1, 3))]
            left, columns = self.select(depth - 1, outer, kinds)
            kinds = [each.kind for each in columns]
            right, _ = self.select(depth - 1, outer, kinds, free=False)
            word = self.chance.choice(
                ["UNION", "UNION ALL", "EXCEPT", "INTERSECT", "EXCEPT ALL", "INTERSECT ALL"]
            )
            return made(f"({{}}) {word} ({{}})", left, right), columns
        return self.select(depth, outer)

    def select(
        self,
        depth: int,
        outer: list[Expression],
        kinds: list[str] | None = None,
        *,
        free: bool = True,
    ) -> tuple[Expression, list[Expression]]:
        """Returns a SELECT and its columns, of some kinds where these are given; unless `free`, of these alone."""
        source, scope = self.from_(depth, outer)
        text = made("FROM {}", source)
        if self.chance.random() < 0.55:
            text = made("{} WHERE {}", text, self.condition(scope, depth))
        if kinds is None and self.chance.random() < 0.35:
            return self._grouped(text, scope, depth)
        if kinds is None and self.chance.random() < 0.08:
            return self._unnested(text, scope)
        if kinds is None:
            kinds = [self.chance.choice(KINDS) for _ in range(self.chance.randint(1, 4))]
        made_items = [self._item(scope, depth, kind) for kind in kinds]
        if not free:
            # Beside a column of values the other side of a set operation becomes one.
            made_items = [item.taken_as(kind) for item, kind in zip(made_items, kinds, strict=True)]
        names = [self.name("c") for _ in made_items]
        items = joined(
            [made(f"{{}} AS {n}", item) for n, item in zip(names, made_items, strict=True)]
        )
        word = self.chance.choice(["SELECT", "SELECT", "SELECT", "SELECT DISTINCT"])
        text = made(f"{word} {{}} {{}}", items, text)
        if scope.keys and self.chance.random() < 0.1:
            window = made("row_number() OVER (ORDER BY {})", joined(scope.keys))
            text = made("{} QUALIFY {} <= 7", text, window)
        elif scope.keys and word == "SELECT" and self.chance.random() < 0.12:
            limit = self.chance.choice(["LIMIT 5", "LIMIT 3 OFFSET 2", "LIMIT 100"])
            way = self.chance.choice(["", " DESC"])
            keys = joined([made(f"{{}}{way}", key) for key in scope.keys])
            text = made(f"{{}} ORDER BY {{}} {limit}", text, keys)
        columns = [
            Expression(n, n, item.kind, is_path=item.is_path)
            for n, item in zip(names, made_items, strict=True)
        ]
        return text, columns

    def _item(self, scope: Scope, depth: int, kind: str) -> Expression:
        if scope.keys and kind in {"num", "text", "value"} and self.chance.random() < 0.12:
            return self._window(scope, kind)
        if depth > 0 and kind in {"num", "text", "value"} and self.chance.random() < 0.08:
            return self._scalar_subquery(scope, kind)
        return self.some(scope, depth, [kind])

    def _window(self, scope: Scope, kind: str) -> Expression:
        keys = joined(scope.keys)
        value = self.some(scope, 1, [kind])
        part = self.some(scope, 1, ["num", "text", "value", "bool"])
        forms = [
            "lag({0}) OVER (ORDER BY {1})",
            "lead({0}, 2) OVER (PARTITION BY {2} ORDER BY {1})",
            "max({0}) OVER (PARTITION BY {2})",
            "min({0}) OVER (ORDER BY {1} ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)",
            "first_value({0}) OVER (PARTITION BY {2} ORDER BY {1})",
        ]
        if kind == "num":
            forms += [
                "rank() OVER (ORDER BY {2})",
                "dense_rank() OVER (PARTITION BY {0} ORDER BY {2} DESC)",
                "sum({0}) OVER (PARTITION BY {2} ORDER BY {1})",
                "count({2}) OVER (ORDER BY {1} ROWS BETWEEN 3 PRECEDING AND 1 FOLLOWING)",
                "row_number() OVER (ORDER BY {2}, {1})",
            ]
        return made(self.chance.choice(forms), value, keys, part, kind=value.kind)

    def _scalar_subquery(self, scope: Scope, kind: str) -> Expression:
        source, inner = self.from_(0, [])
        value = self.some(inner, 0, [kind])
        inner.outer = [each for each in scope.columns if each.kind in {"num", "text"}]
        condition = self.condition(inner, 0)
        form = f"(SELECT {self.chance.choice(['max', 'min'])}({{}}) FROM {{}} WHERE {{}})"
        return made(form, value, source, condition, kind=value.kind)

    def _grouped(
        self, text: Expression, scope: Scope, depth: int
    ) -> tuple[Expression, list[Expression]]:
        groups = [
            self.some(scope, depth, ["num", "text", "value", "bool", "nums"])
            for _ in range(self.chance.choice([0, 1, 1, 2]))
        ]
        items = [*groups, *(self.aggregate(scope, 1) for _ in range(self.chance.randint(1, 2)))]
        names = [self.name("c") for _ in items]
        listed = joined([made(f"{{}} AS {n}", item) for n, item in zip(names, items, strict=True)])
        result = made("SELECT {} {}", listed, text)
        if groups:
            ordinals = same(", ".join(str(i + 1) for i in range(len(groups))))
            by = self.chance.choice(
                [joined(groups), same("ALL"), ordinals, same(", ".join(names[: len(groups)]))]
            )
            if self.chance.random() < 0.1 and by.ours != "ALL":
                by = made(self.chance.choice(["ROLLUP ({})", "CUBE ({})"]), joined(groups))
            result = made("{} GROUP BY {}", result, by)
            if self.chance.random() < 0.25:
                counted = made("count({})", self.some(scope, 0), kind="num")
                result = made("{} HAVING {} > {}", result, counted, self.constant("num"))
        columns = [Expression(n, n, item.kind) for n, item in zip(names, items, strict=True)]
        return result, columns

    def aggregate(self, scope: Scope, depth: int) -> Expression:
        """Returns an aggregate; those that depend on the order of rows are given one."""
        name = self.chance.choice(AGGREGATES)
        keys = joined(scope.keys) if scope.keys else None
        if keys is None and name in {"list", "arg_max", "string_agg"}:
            name = "max"
        kind = {"sum": "num", "avg": "num", "string_agg": "text", "bool_or": "bool"}.get(name)
        value = (
            # `string_agg` takes values of every kind, as texts.
            self.scalar(scope, depth, kind, taken=name != "string_agg")
            if kind
            else self.some(scope, depth, ["num", "text", "value"])
        )
        given = value.kind if name in {"min", "max", "arg_max", "string_agg", "bool_or"} else "num"
        call = made(f"{name}({{}})", value, kind=given)
        if name == "count_distinct":
            call = made("count(DISTINCT {})", value, kind="num")
        elif name == "list" and keys:
            of = {"num": "nums", "text": "texts", "value": "values"}[value.kind]
            call = made("list({} ORDER BY {})", value, keys, kind=of)
        elif name == "arg_max":
            call = made("arg_max({}, {})", value, scope.keys[0], kind=given)
            if len(scope.keys) > 1:
                call = made("max({})", value, kind=given)
        elif name == "string_agg" and keys:
            call = made("string_agg({}, '|' ORDER BY {})", value, keys, kind="text")
        if self.chance.random() < 0.2:
            return made(
                "{} FILTER (WHERE {})",
                call,
                self.scalar(scope, 1, "bool", taken=True),
                kind=call.kind,
            )
        return call

    def _unnested(self, text: Expression, scope: Scope) -> tuple[Expression, list[Expression]]:
        kind = self.chance.choice(["nums", "texts", "values"])
        items = self.list_(scope, 1, kind)
        beside = self.some(scope, 1, ["num", "text", "value"])
        n, m = self.name("c"), self.name("c")
        item = {"nums": "num", "texts": "text", "values": "value"}[kind]
        result = made(f"SELECT unnest({{}}) AS {n}, {{}} AS {m} {{}}", items, beside, text)
        return result, [Expression(n, n, item), Expression(m, m, beside.kind)]

    def _ordered(self, text: Expression, columns: list[Expression]) -> Expression:
        """Returns a query with all of its columns in an order, so that its rows have one."""
        ways = ["", " DESC", " NULLS FIRST", " DESC NULLS LAST"]
        places = list(range(len(columns)))
        self.chance.shuffle(places)
        by = []
        for place in places:
            named = self.chance.choice([str(place + 1), columns[place].ours])
            by.append(f"{named}{self.chance.choice(ways)}")
        text = made(f"{{}} ORDER BY {', '.join(by)}", text)
        if self.chance.random() < 0.6:
            text = made(f"{{}} LIMIT {self.chance.randint(0, 12)}", text)
            if self.chance.random() < 0.3:
                text = made(f"{{}} OFFSET {self.chance.randint(0, 5)}", text)
        return text


def statements(chance: random.Random, tables: dict[str, list[Expression]]) -> Statements:
    """Returns a maker of statements over tables."""
    return Statements(chance, tables)
