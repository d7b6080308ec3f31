"""Random expressions over the columns that a statement's place sees."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from sql.statements.expression import Expression, joined, made, same
from sql.statements.rows import WORDS

SCALARS = ("num", "text", "bool")
COMPARISONS = ("=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")


@dataclass(slots=True)
class Scope:
    """What a place of a statement sees.

    Attributes:
        columns: of the tables of its FROM.
        keys: expressions that no two rows agree in, empty where there are none.
        outer: columns of the statements around it.
    """

    columns: list[Expression] = field(default_factory=list)
    keys: list[Expression] = field(default_factory=list)
    outer: list[Expression] = field(default_factory=list)


class Values:
    """A maker of expressions.

    Attributes:
        chance: decides everything.
        parameters: values of parameters by name, several for each: a statement is asked with each in turn.
    """

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.parameters: dict[str, list[object]] = {}

    def some(self, scope: Scope, depth: int, kinds: Sequence[str] = ()) -> Expression:
        """Returns an expression of any of some kinds."""
        kind = self.chance.choice(
            kinds or ("num", "num", "text", "text", "bool", "value", "value", "list")
        )
        if kind == "list":
            return self.list_(scope, depth, self.chance.choice(["nums", "texts"]))
        if kind in {"nums", "texts", "values"}:
            return self.list_(scope, depth, kind)
        if kind == "value":
            return self.value(scope, depth)
        if kind == "time":
            return self.time(scope)
        return self.scalar(scope, depth, kind)

    def scalar(self, scope: Scope, depth: int, kind: str, *, taken: bool = False) -> Expression:
        """Returns a number, a text or a boolean.

        Args:
            taken: whether its place takes one type: of a column of values, those of that kind count there.
        """
        if depth <= 0 or self.chance.random() < 0.35:
            return self.leaf(scope, kind, taken=taken)
        return {"num": self.number, "text": self.text, "bool": self.boolean}[kind](scope, depth - 1)

    def leaf(self, scope: Scope, kind: str, *, taken: bool = False) -> Expression:
        """Returns a column, a parameter or a constant."""
        columns = self.columns(scope, kind, taken=taken)
        if columns and self.chance.random() < 0.8:
            return self.chance.choice(columns)
        return self.constant(kind)

    def columns(self, scope: Scope, kind: str, *, taken: bool = False) -> list[Expression]:
        """Returns the columns of a scope of a kind, or those whose values of a kind its place takes."""
        seen = scope.columns
        if scope.outer and self.chance.random() < 0.3:
            seen = scope.outer
        found = [each for each in seen if each.kind == kind]
        if taken and self.chance.random() < 0.4:
            return [
                each.taken_as(kind) for each in seen if each.kind in {"value", "absent"}
            ] or found
        return found

    def constant(self, kind: str) -> Expression:
        """Returns a literal, or a parameter."""
        values: dict[str, list[object]] = {
            "num": [0, 1, 2, 3, -1, 0.5, 2.25],
            "text": list(WORDS),
            "bool": [True, False],
        }
        value = self.chance.choice(values[kind])
        if self.chance.random() < 0.25:
            alike = [each for each in values[kind] if type(each) is type(value)]
            return self.parameter(kind, [value, self.chance.choice(alike)])
        return same(literal(value), kind)

    def parameter(self, kind: str, values: list[object]) -> Expression:
        """Returns a new parameter."""
        name = f"v{len(self.parameters)}"
        self.parameters[name] = values
        return same(f"${name}", kind)

    def number(self, scope: Scope, depth: int) -> Expression:
        """Returns an operation that gives a number."""
        chance = self.chance

        def num(*, taken: bool = True) -> Expression:
            return self.scalar(scope, depth, "num", taken=taken)

        def text() -> Expression:
            return self.scalar(scope, depth, "text", taken=True)

        match chance.randrange(9):
            case 0 | 1:
                return made(f"({{}} {chance.choice('+-*')} {{}})", num(), num(), kind="num")
            case 2:
                return made(
                    f"{chance.choice(['abs', 'sign', '-', 'floor'])}({{}})", num(), kind="num"
                )
            case 3:
                return made(
                    f"{chance.choice(['strlen', 'ascii', 'unicode'])}({{}})", text(), kind="num"
                )
            case 4:
                items = self.list_(scope, depth, chance.choice(["nums", "texts", "values"]))
                return made("len({})", items, kind="num")
            case 5:
                items = self.list_(scope, depth, "nums")
                return made(f"list_{chance.choice(['sum', 'max', 'min'])}({{}})", items, kind="num")
            case 6:
                name = chance.choice(["coalesce", "greatest", "least", "nullif", "ifnull"])
                return made(f"{name}({{}}, {{}})", num(taken=False), num(taken=False), kind="num")
            case 7:
                return made("position({} IN {})", text(), text(), kind="num")
            case _:
                condition = self.scalar(scope, depth, "bool", taken=True)
                sides = (num(taken=False), num(taken=False))
                return made("CASE WHEN {} THEN {} ELSE {} END", condition, *sides, kind="num")

    def text(self, scope: Scope, depth: int) -> Expression:
        """Returns an operation that gives a text."""
        chance = self.chance

        def text(*, taken: bool = True) -> Expression:
            return self.scalar(scope, depth, "text", taken=taken)

        match chance.randrange(6):
            case 0:
                name = chance.choice(["upper", "lower", "trim", "reverse"])
                return made(f"{name}({{}})", text(), kind="text")
            case 1:
                return made("({} || {})", text(taken=False), text(taken=False), kind="text")
            case 2:
                return made("substr({}, {})", text(), same(str(chance.randint(1, 3))), kind="text")
            case 3:
                return made("replace({}, {}, {})", text(), text(), text(), kind="text")
            case 4:
                name = chance.choice(["coalesce", "greatest", "least", "nullif", "ifnull"])
                return made(
                    f"{name}({{}}, {{}})", text(taken=False), text(taken=False), kind="text"
                )
            case _:
                condition = self.scalar(scope, depth, "bool", taken=True)
                sides = (text(taken=False), text(taken=False))
                return made("if({}, {}, {})", condition, *sides, kind="text")

    def boolean(self, scope: Scope, depth: int) -> Expression:
        """Returns a condition."""
        forms = (self._compared, self._compared, self._among, self._logical, self._of_parts)
        return self.chance.choice(forms)(scope, depth)

    def _compared(self, scope: Scope, depth: int) -> Expression:
        word, kind = self.chance.choice(COMPARISONS), self.chance.choice(["num", "text"])
        draw = self.chance.random()
        sides = (self.scalar(scope, depth, kind), self.scalar(scope, depth, kind))
        if draw < 0.3:
            sides = (self.leaf(scope, kind, taken=True), self.constant(kind))
        elif draw < 0.5:
            values = (self.value(scope, 0), self.value(scope, 0))
            sides = values if all(each.kind == "value" for each in values) else sides
        return made(f"({{}} {word} {{}})", *sides, kind="bool")

    def _among(self, scope: Scope, depth: int) -> Expression:
        kind = self.chance.choice(["num", "text"])
        word = self.chance.choice(["", "NOT "])
        taken = self.leaf(scope, kind, taken=True)
        match self.chance.randrange(4):
            case 0:
                items = joined([self.constant(kind) for _ in range(self.chance.randint(1, 3))])
                return made(f"({{}} {word}IN ({{}}))", taken, items, kind="bool")
            case 1:
                bounds = (self.constant(kind), self.constant(kind))
                return made(f"({{}} {word}BETWEEN {{}} AND {{}})", taken, *bounds, kind="bool")
            case 2:
                sides = [self.scalar(scope, depth, kind) for _ in range(3)]
                return made(f"({{}} {word}BETWEEN {{}} AND {{}})", *sides, kind="bool")
            case _:
                items = self.list_(scope, depth, {"num": "nums", "text": "texts"}[kind])
                asked = self.scalar(scope, depth, kind)
                return made("list_contains({}, {})", items, asked, kind="bool")

    def _logical(self, scope: Scope, depth: int) -> Expression:
        side = self.scalar(scope, depth, "bool", taken=True)
        if self.chance.random() < 0.3:
            return made("(NOT {})", side, kind="bool")
        other = self.scalar(scope, depth, "bool", taken=True)
        return made(f"({{}} {self.chance.choice(['AND', 'OR'])} {{}})", side, other, kind="bool")

    def _of_parts(self, scope: Scope, depth: int) -> Expression:
        word = self.chance.choice(["", "NOT "])
        if self.chance.random() < 0.5:
            return made(f"({{}} IS {word}NULL)", self.some(scope, depth), kind="bool")
        pattern = same(self.chance.choice(["'a%'", "'%b%'", "'_'", "'%'"]))
        asked = self.scalar(scope, depth, "text", taken=True)
        return made(f"({{}} {word}LIKE {{}})", asked, pattern, kind="bool")

    def value(self, scope: Scope, depth: int) -> Expression:
        """Returns an expression whose rows may disagree; a number where the scope has no such column."""
        columns = [each for each in scope.columns if each.kind == "value"]
        if not columns:
            return self.scalar(scope, depth, "num")
        column = self.chance.choice(columns)
        beside = self.leaf(scope, self.chance.choice(SCALARS)).taken_as("value")
        if depth <= 0 or self.chance.random() < 0.6:
            return column
        if self.chance.random() < 0.5:
            name = self.chance.choice(["coalesce", "nullif", "greatest", "least"])
            return made(f"{name}({{}}, {{}})", column, beside, kind="value")
        condition = self.scalar(scope, depth - 1, "bool", taken=True)
        return made("CASE WHEN {} THEN {} ELSE {} END", condition, column, beside, kind="value")

    def list_(self, scope: Scope, depth: int, kind: str) -> Expression:
        """Returns a list."""
        item = {"nums": "num", "texts": "text", "values": "value"}[kind]
        columns = [each for each in scope.columns if each.kind == kind]
        objects = [each for each in scope.columns if each.kind == "items"]
        if kind == "values" and objects and self.chance.random() < 0.5:
            column = self.chance.choice(objects)
            form = self.chance.choice(
                ["list_transform({}, lambda i: i.role)", "[i.role for i in {}]"]
            )
            return Expression(form.format(column.ours), column.plain, kind)
        if kind == "values" and columns:
            return self.chance.choice(columns)
        if kind == "values":
            return self.list_(scope, depth, "nums")
        if columns and (depth <= 0 or self.chance.random() < 0.6):
            column = self.chance.choice(columns)
            match self.chance.randrange(4):
                case 0:
                    body = {"num": "i + 1", "text": "upper(i)"}[item]
                    return made(f"list_transform({{}}, lambda i: {body})", column, kind=kind)
                case 1:
                    body = {"num": "i > 1", "text": "i <> 'a'"}[item]
                    return made(f"list_filter({{}}, lambda i: {body})", column, kind=kind)
                case _:
                    return column
        items = [self.scalar(scope, depth - 1, item) for _ in range(self.chance.randint(1, 2))]
        return made("[{}]", joined(items), kind=kind)

    def time(self, scope: Scope) -> Expression:
        """Returns a time."""
        columns = [each for each in scope.columns if each.kind == "time"]
        if not columns:
            return same("TIMESTAMPTZ '2026-09-21 15:00:00+00'", "time")
        column = self.chance.choice(columns)
        unit = self.chance.choice(["minute", "hour"])
        forms = ("{}", f"date_trunc('{unit}', {{}})", f"{{}} + INTERVAL 1 {unit}")
        return made(self.chance.choice(forms), column, kind="time")


def literal(value: object) -> str:
    """Returns a constant as SQL."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value).lower()
