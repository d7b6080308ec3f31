"""Expressions whose values a place may take in several ways."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlglot import exp

from tracestore_query.bind.values import json_values, tagged_values
from tracestore_query.bind.values.types import (
    EVERY,
    ITEM,
    NULL,
    SPELLED,
    Kind,
    is_open,
    item_type,
    kind_of,
)
from tracestore_query.bind.values.uses import AS_VARCHAR, Use, Want
from tracestore_query.language.replacement import put_in_place
from tracestore_query.language.value_macros import VALUE


class Source(ABC):
    """An expression that can be had for every use.

    Attributes:
        type: the engine's type of its bare value.
        kinds: of its values.
    """

    type: str
    kinds: frozenset[Kind]

    @abstractmethod
    def convert(self, want: Want) -> exp.Expr:
        """Returns its values for a use."""

    @property
    def numbers(self) -> str:
        """Returns the type of its numbers."""
        return self.type if kind_of(self.type) is Kind.NUMBER else "DOUBLE"

    @property
    def lists(self) -> str:
        """Returns the type of its lists."""
        return self.type if kind_of(self.type) is Kind.LIST else f"{ITEM}[]"


class Absent(Source):
    """A path that no row has."""

    type = NULL
    kinds = frozenset()

    def convert(self, want: Want) -> exp.Expr:
        """Returns NULL: of a type where one is asked for, else of none."""
        if want.use in {Use.NUMBER, Use.TEXT} and want.to is not None:
            return exp.cast(exp.null(), want.to.copy())
        if want.use is Use.CAST and want.to is not None:
            return exp.cast(exp.null(), want.to.copy())
        types = {Use.NUMBER: "DOUBLE", Use.TEXT: "VARCHAR", Use.BOOL: "BOOLEAN", Use.VALUE: VALUE}
        if want.use is Use.LIST and want.item is not None:
            item = "VARCHAR" if want.item in {ITEM, SPELLED} else want.item
            return tagged_values.null(f"{item}[]")
        return tagged_values.null(types[want.use]) if want.use in types else exp.null()


@dataclass(slots=True)
class Expression(Source):
    """An expression of the query, by its type.

    Attributes:
        value: what gives it; every conversion takes a copy.
        known_kinds: of its values, where more is known than its type says.
    """

    value: exp.Expr
    type: str
    known_kinds: frozenset[Kind] | None = None

    @property
    def kinds(self) -> frozenset[Kind]:  # type: ignore[override]
        """Returns the kinds of its values."""
        if self.known_kinds is not None:
            return self.known_kinds
        return EVERY if is_open(self.type) else frozenset({kind_of(self.type)})

    def convert(self, want: Want) -> exp.Expr:
        """Returns its values for a use."""
        value = self.value.copy()
        if want.use is Use.BARE:
            return value
        if want.use is Use.PRESENT:
            return json_values.of_use(value, want) if self.type == ITEM else value
        if self.type == NULL:
            asked = Absent().convert(want)
            return exp.cast(value, asked.to.copy()) if isinstance(asked, exp.Cast) else value
        if self.type == ITEM:
            return json_values.of_use(value, want)
        if self.type == VALUE:
            return value if want.use is Use.VALUE else tagged_values.of_use(value, want)
        return self._typed(value, want)

    def _typed(self, value: exp.Expr, want: Want) -> exp.Expr:
        kind = kind_of(self.type)
        asked = _ASKED.get(want.use)
        if want.use is Use.LIST and kind is Kind.LIST:
            return tagged_values.listed(value, item_type(self.type), want.item)
        if asked is not None and asked is kind:
            return value if want.to is None else exp.TryCast(this=value, to=want.to.copy())
        if (
            want.use in {Use.VALUE, Use.LIST}
            or asked is not None
            or want.use in {Use.TYPEOF, Use.JSON}
            or kind is Kind.LIST
        ):
            value = tagged_values.tagged(value, self.type)
        elif want.use is Use.CAST and want.to is not None:
            return exp.TryCast(this=value, to=want.to.copy())
        return value if want.use is Use.VALUE else tagged_values.of_use(value, want)


@dataclass(slots=True)
class ItemText(Source):
    """What lies at a key of a list's items where it is a text in all rows: JSON to the query, held as the text itself.

    Attributes:
        value: what gives the text; every conversion takes a copy.
        other: the JSON there of rows that have no such text, None where all have it.
    """

    value: exp.Expr
    other: exp.Expr | None = None
    type = ITEM
    kinds = EVERY

    def convert(self, want: Want) -> exp.Expr:
        """Returns its values for a use."""
        value = self._converted(want)
        if self.other is None:
            return value
        other = exp.cast(self.other.copy(), "VARCHAR")
        if want.use is Use.BARE:
            return exp.Coalesce(this=value, expressions=[other])
        return exp.Coalesce(this=value, expressions=[json_values.of_use(other, want)])

    def _converted(self, want: Want) -> exp.Expr:
        value = self.value.copy()
        if want.use is Use.VALUE:
            return tagged_values.tagged(value, "VARCHAR")
        if want.use is Use.PRESENT:
            return value
        if want.use is Use.TEXT:
            return value if want.to is None else exp.TryCast(this=value, to=want.to.copy())
        if want == AS_VARCHAR:
            return value
        return json_values.of_use(tagged_values.of_type(value, "VARCHAR", ITEM), want)


_ASKED = {Use.NUMBER: Kind.NUMBER, Use.TEXT: Kind.TEXT, Use.BOOL: Kind.BOOLEAN}


def kinds_together(
    sources: Iterable[Source | None], types: Iterable[str | None]
) -> frozenset[Kind]:
    """Returns the kinds of what is made of expressions, given their types where they have one."""
    found: set[Kind] = set()
    for source, sql_type in zip(sources, types, strict=True):
        if source is not None:
            found |= source.kinds
        elif sql_type is None:
            found |= EVERY
        elif sql_type != NULL:
            found.add(kind_of(sql_type))
    return frozenset(found)


@dataclass(slots=True)
class Bound:
    """An expression that is bound, where it stands in the tree.

    Attributes:
        node: what stands there.
        type: the engine's type of it, None where nobody has asked for it or it is not known.
        source: set where its place decides which of its values count.
        find_type: gives the type where somebody asks for it: that takes a question to the engine.
    """

    node: exp.Expr
    type: str | None = None
    source: Source | None = None
    find_type: Callable[[], str | None] | None = None

    def take(self, want: Want) -> exp.Expr:
        """Puts the expression in its place as a use wants it; returns what stands there now."""
        if self.source is None:
            return self.node
        return self.put(self.source.convert(want))

    def put(self, value: exp.Expr) -> exp.Expr:
        """Puts another expression in its place."""
        if value is not self.node:
            put_in_place(self.node, value)
            self.node = value
        return value


class Branches(Bound):
    """A column of a set operation: every branch of it is taken alike."""

    def __init__(self, branches: list[Bound]) -> None:
        first = branches[0]
        super().__init__(first.node, first.type, first.source)
        self._branches = branches

    def take(self, want: Want) -> exp.Expr:
        """Puts every branch in its place as a use wants it."""
        for each in self._branches:
            each.take(want)
        return self.node
