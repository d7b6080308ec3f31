"""What stands in FROM of a random statement: tables, joins of all kinds, subqueries, CTEs, unnest, ranges, VALUES."""

from __future__ import annotations

import random
from abc import abstractmethod

from sql.statements.expression import Expression, made, same
from sql.statements.values import Scope, Values

JOINS = ("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN", "CROSS JOIN")
LISTS = frozenset({"nums", "texts", "values", "items"})
JOINED_KINDS = ("num", "text", "value")


class Sources(Values):
    """A maker of FROM clauses, and of conditions that hold subqueries.

    Attributes:
        tables: the columns of each table.
        ctes: the columns of each CTE.
    """

    def __init__(self, chance: random.Random, tables: dict[str, list[Expression]]) -> None:
        super().__init__(chance)
        self.tables = tables
        self.ctes: dict[str, list[Expression]] = {}
        self._names = 0

    @abstractmethod
    def query(self, depth: int, outer: list[Expression]) -> tuple[Expression, list[Expression]]:
        """Returns a query and its columns."""

    def name(self, prefix: str) -> str:
        """Returns a name that is new in the statement."""
        self._names += 1
        return f"{prefix}{self._names}"

    def from_(self, depth: int, outer: list[Expression]) -> tuple[Expression, Scope]:
        """Returns what stands behind FROM, and what it shows."""
        text, scope = self._source(depth)
        scope.outer = outer
        count = (
            self.chance.choice([0, 0, 0, 1, 1, 2])
            if depth > 0
            else self.chance.choice([0, 0, 0, 1])
        )
        for _ in range(count):
            text, scope = self._joined(text, scope, depth)
        return text, scope

    def _source(self, depth: int) -> tuple[Expression, Scope]:
        draw = self.chance.random()
        if self.ctes and draw < 0.35:
            name = self.chance.choice(sorted(self.ctes))
            return self._named(same(name), self.ctes[name])
        if depth > 0 and draw < 0.5:
            text, columns = self.query(depth - 1, [])
            return self._named(made("({})", text), columns)
        if draw < 0.55:
            return self._constant()
        if depth > 0 and draw < 0.6:
            return self._merged(depth - 1)
        table = self.chance.choice(["spans", "spans", "logs"])
        alias = self.name("s")
        columns = [each.within(alias) for each in self.tables[table]]
        keys = [each for each in columns if each.ours == f"{alias}.span_id"]
        return same(f"{table} {alias}"), Scope(columns, keys)

    def _merged(self, depth: int) -> tuple[Expression, Scope]:
        """Returns two queries joined by USING, whose column of that name is one."""
        kind = self.chance.choice(JOINED_KINDS)
        key, texts, columns = self.name("k"), [], []
        for _ in range(2):
            source, scope = self._source(depth)
            found = [each for each in scope.columns if each.kind == kind and each.is_path]
            # A constant has a type of its own, as values have none.
            given = self.chance.choice(found) if found else self.constant("num")
            beside, alias = self.some(scope, 0, ["num", "text", "value"]), self.name("t")
            if given.kind != kind:
                return self._constant()
            item = self.name("c")
            texts.append(
                made(
                    f"(SELECT {{}} AS {key}, {{}} AS {item} FROM {{}}) {alias}",
                    given,
                    beside,
                    source,
                )
            )
            columns.append(Expression(f"{alias}.{item}", f"{alias}.{item}", beside.kind))
        join = self.chance.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "SEMI JOIN"])
        text = made(f"({{}} {join} {{}} USING ({key}))", *texts)
        shown = columns[: 1 if join == "SEMI JOIN" else 2]
        return text, Scope([Expression(key, key, kind), *shown])

    def _named(self, text: Expression, columns: list[Expression]) -> tuple[Expression, Scope]:
        alias = self.name("t")
        return made(f"{{}} AS {alias}", text), Scope([each.within(alias) for each in columns])

    def _constant(self) -> tuple[Expression, Scope]:
        alias = self.name("v")
        if self.chance.random() < 0.5:
            return same(f"range({self.chance.randint(0, 4)}) {alias}(i)"), Scope(
                [same(f"{alias}.i", "num")], [same(f"{alias}.i", "num")]
            )
        rows = same("(VALUES (1, 'a'), (2, 'b'), (3, NULL))")
        columns = [same(f"{alias}.n", "num"), same(f"{alias}.w", "text")]
        return made(f"{{}} {alias}(n, w)", rows), Scope(columns, columns[:1])

    def _joined(self, text: Expression, left: Scope, depth: int) -> tuple[Expression, Scope]:
        lists = [each for each in left.columns if each.kind in LISTS]
        if lists and self.chance.random() < 0.2:
            return self._joined_items(text, left, self.chance.choice(lists))
        right_text, right = self._source(depth - 1)
        kind = self.chance.choice(JOINS)
        both = Scope([*left.columns, *right.columns], outer=left.outer)
        if left.keys and right.keys:
            both.keys = [*left.keys, *right.keys]
        if kind == "CROSS JOIN":
            return made("{} CROSS JOIN {}", text, right_text), both
        on = self._on(left, right)
        if kind in {"JOIN", "LEFT JOIN", "SEMI JOIN"} and self.chance.random() < 0.3:
            on = made("({} AND {})", on, self.scalar(both, 1, "bool", taken=True))
        result = made(f"{{}} {kind} {{}} ON {{}}", text, right_text, on)
        return result, left if kind in {"SEMI JOIN", "ANTI JOIN"} else both

    def _on(self, left: Scope, right: Scope) -> Expression:
        kind = self.chance.choice(JOINED_KINDS)
        sides = []
        for scope in (left, right):
            found = [each for each in scope.columns if each.kind == kind]
            sides.append(self.chance.choice(found) if found else None)
        if sides[0] is None or sides[1] is None:
            return same("true")
        return made("{} = {}", sides[0], sides[1], kind="bool")

    def _joined_items(
        self, text: Expression, left: Scope, items: Expression
    ) -> tuple[Expression, Scope]:
        alias = self.name("u")
        kind = {"nums": "num", "texts": "text"}.get(items.kind, "value")
        ours = f"{alias}.x.role" if items.kind == "items" else f"{alias}.x"
        item = Expression(ours, f"{alias}.x", kind, is_path=True)
        return made(f"{{}} CROSS JOIN unnest({{}}) AS {alias}(x)", text, items), Scope(
            [*left.columns, item], outer=left.outer
        )

    def condition(self, scope: Scope, depth: int) -> Expression:
        """Returns a condition: ranges of time, subqueries, and others."""
        chance = self.chance
        draw = chance.random()
        times = [each for each in scope.columns if each.kind == "time"]
        if times and draw < 0.25:
            minute = chance.randrange(0, 90)
            bound = same(f"TIMESTAMPTZ '2026-09-21 {14 + minute // 60}:{minute % 60:02d}:20+00'")
            compared = made(
                f"{{}} {chance.choice(['>=', '<', '>', '<='])} {{}}", chance.choice(times), bound
            )
            return (
                compared
                if chance.random() < 0.5
                else made("{} AND {}", compared, self.scalar(scope, 1, "bool", taken=True))
            )
        if depth > 0 and draw < 0.35:
            return self._subquery_condition(scope)
        return self.scalar(scope, 2, "bool", taken=True)

    def _subquery_condition(self, scope: Scope) -> Expression:
        source, inner = self.from_(0, [])
        kind = self.chance.choice(["num", "text", "value"])
        asked, found = self.some(scope, 0, [kind]), self.some(inner, 0, [kind])
        if asked.kind != found.kind:
            asked, found = self.constant("num"), self.constant("num")
        inner.outer = [each for each in scope.columns if each.kind in {"num", "text"}]
        where = self.condition(inner, 0)
        match self.chance.randrange(4):
            case 0:
                return made("EXISTS (SELECT 1 FROM {} WHERE {})", source, where)
            case 1:
                word = self.chance.choice(["IN", "NOT IN"])
                return made(
                    f"{{}} {word} (SELECT {{}} FROM {{}} WHERE {{}})", asked, found, source, where
                )
            case 2:
                word = self.chance.choice(["= ANY", "< ALL", ">= ANY"])
                return made(
                    f"{{}} {word} (SELECT {{}} FROM {{}} WHERE {{}})", asked, found, source, where
                )
            case _:
                word = self.chance.choice(["max", "min"])
                return made(
                    f"{{}} >= (SELECT {word}({{}}) FROM {{}} WHERE {{}})",
                    asked,
                    found,
                    source,
                    where,
                )
