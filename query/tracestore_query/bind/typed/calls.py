"""Functions and operators over paths: which values they take, and what they give, by the engine's own catalog."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tracestore_query.bind.typed.call_choice import Choice, Chooser
from tracestore_query.bind.typed.call_forms import arguments, is_constant
from tracestore_query.bind.typed.engine_types import EngineTypes
from tracestore_query.bind.values import tagged_values
from tracestore_query.bind.values.sources import Bound, Expression, kinds_together
from tracestore_query.bind.values.types import ITEM, NULL, SPELLED, is_wavering
from tracestore_query.bind.values.uses import AS_VARCHAR, BARE, Want
from tracestore_query.language.parameters import type_of_parameter, value_of
from tracestore_query.language.replacement import put_in_place
from tracestore_query.language.value_macros import VALUE


class Calls:
    """The binder of calls, whose arguments are bound."""

    def __init__(self, types: EngineTypes) -> None:
        self._types = types

    def bind(self, node: exp.Expr, held: Sequence[Bound], *, suffix: str = "") -> Bound:
        """Takes the arguments of a call for what the engine makes of them."""
        if not any(each.source for each in held):
            return Bound(node, find_type=lambda: self.type_of(node, held, suffix=suffix))
        key = (suffix, _shape(node, {id(each.node) for each in held}), tuple(map(_form, held)))
        choice = self._types.choices.get_or_make(
            key, lambda: Chooser(self._types, node, held, suffix).choose()
        )
        return self._apply(node, held, choice)

    def type_of(self, node: exp.Expr, held: Sequence[Bound], *, suffix: str = "") -> str | None:
        """Returns the type of a call, None where that of an argument is not known."""
        if any(found_type(each) is None for each in held):
            return None
        return Chooser(self._types, node, held, suffix).plain()

    def _apply(self, node: exp.Expr, held: Sequence[Bound], choice: Choice) -> Bound:
        if choice.others:
            return Bound(self._by_kind(node, held, choice), choice.gives)
        # Values that are handed on are of the kinds that were given.
        handed = [
            each
            for each, wanted in zip(held, choice.types, strict=True)
            if each.source is not None or wanted is not None
        ]
        kinds = kinds_together([each.source for each in handed], [each.type for each in handed])
        for bound, wanted in zip(held, choice.types, strict=True):
            take(bound, wanted)
        if choice.gives is None:
            return Bound(node)
        if choice.gives == NULL or choice.derived or is_wavering(choice.gives):
            known = kinds if choice.gives == VALUE else None
            return Bound(node, choice.gives, Expression(node, choice.gives, known))
        return Bound(node, choice.gives)

    def _by_kind(self, node: exp.Expr, held: Sequence[Bound], choice: Choice) -> exp.Expr:
        """Returns a call for each kind of its one argument: the row's own kind decides."""
        (at,) = [i for i, each in enumerate(held) if each.source is not None]
        source = held[at].source
        ifs = []
        for types in (choice.types, *choice.others):
            copy = node.copy()
            argument = arguments(copy)[at]
            value = source.convert(tagged_values.use_of_type(types[at] or "VARCHAR"))  # type: ignore[union-attr]  # chosen by it
            argument.replace(value)
            present = exp.Not(this=exp.Is(this=value.copy(), expression=exp.null()))
            ifs.append(exp.If(this=present, true=copy))
        case = exp.Case(ifs=ifs)
        put_in_place(node, case)
        return case


def found_type(bound: Bound) -> str | None:
    """Returns the type of what is bound, asked of the engine where nobody knows it yet."""
    if bound.source is not None:
        return bound.source.type
    if bound.type is None and bound.find_type is not None:
        bound.type = bound.find_type()
    return bound.type


def take(bound: Bound, wanted: str | None) -> None:
    """Takes an expression as a type, None for as it is."""
    if bound.source is not None:
        use = BARE if wanted is None else _use(bound, wanted)
        bound.take(use)
    elif wanted is not None and bound.type is not None:
        value = tagged_values.of_type(bound.node.copy(), bound.type, wanted)
        bound.put(value)


def _use(bound: Bound, wanted: str) -> Want:
    if wanted == SPELLED:
        return AS_VARCHAR
    source = bound.source
    if source is not None and wanted == source.type and wanted != ITEM:
        return BARE
    return tagged_values.use_of_type(wanted)


def _form(bound: Bound) -> object:
    source = bound.source
    if source is not None:
        return (source.type, source.kinds, source.numbers, source.lists)
    node = bound.node
    return (bound.type, node.sql() if is_constant(node) else None)


def _shape(value: object, held: set[int]) -> object:
    """Returns what tells a form of a call from others, less its arguments."""
    if isinstance(value, exp.Expr):
        if id(value) in held:
            return "?"
        inside = tuple((key, _shape(each, held)) for key, each in value.args.items() if each)
        return (type(value).__name__, inside)
    if isinstance(value, list):
        return tuple(_shape(each, held) for each in value)
    return value if isinstance(value, str | int | float | bool) else str(value)


def constant_type(node: exp.Expr) -> str | None:
    """Returns the engine's type of a literal, a parameter or NULL; None where the node is none."""
    if isinstance(node, exp.Literal):
        return _literal_type(node)
    if isinstance(node, exp.Boolean):
        return "BOOLEAN"
    if isinstance(node, exp.Placeholder | exp.Parameter):
        return type_of_parameter(value_of(node))
    return NULL if isinstance(node, exp.Null) else None


def _literal_type(node: exp.Literal) -> str:
    text = str(node.this)
    if node.is_string:
        return "VARCHAR"
    if node.is_int:
        value = int(text)
        if value < 2**31:
            return "INTEGER"
        return "BIGINT" if value < 2**63 else "HUGEINT"
    return "DOUBLE" if "e" in text.lower() else "DECIMAL(38,9)"
