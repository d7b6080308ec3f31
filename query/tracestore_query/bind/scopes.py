"""What names mean inside one SELECT: its sources, the columns they give, and where each comes from."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from tracestore.variant import TableSpec
from tracestore_query.bind.scan_builder import ScanBuilder
from tracestore_query.bind.values.item_columns import UnnestedItems
from tracestore_query.bind.values.sources import Bound
from tracestore_query.bind.values.types import Kind
from tracestore_query.errors import UnknownNameError
from tracestore_query.language.allow_list import nearest
from tracestore_query.language.path_syntax import Step
from tracestore_query.tables.names import HIDDEN, STORED


@dataclass(frozen=True, slots=True)
class Output:
    """One column that a subquery gives.

    Attributes:
        origin: the source inside and the path, where the column is a path: longer paths start from it.
        type: the engine's type of it, None where it is not known.
        kinds: of its values, None where its type says them.
        items: of lists, which become rows: what the query reads of them.
        is_text: whether it is JSON that is held as the text that it is in all rows.
    """

    origin: tuple[Source, list[Step]] | None = None
    type: str | None = None
    kinds: frozenset[Kind] | None = None
    items: UnnestedItems | None = None
    is_text: bool = False


@dataclass(slots=True, eq=False)
class Source:
    """What an alias stands for: a scan, or a select whose columns pass through it.

    Attributes:
        scan: set where it is a stored table.
        select: the SELECT it stands for, where paths can be added to it.
        outputs: its columns by lower-case name, None where they are not known here.
        also_named: other names of its columns, which `*` does not show.
        in_star: whether `*` shows it; the right side of a semi join is not shown.
        nullable: whether rows of the query may lack it: the far side of an outer join.
    """

    alias: str
    scan: ScanBuilder | None = None
    select: exp.Select | None = None
    outputs: dict[str, Output] | None = None
    also_named: dict[str, Output] = field(default_factory=dict)
    in_star: bool = True
    nullable: bool = False

    def output(self, name: str) -> Output | None:
        """Returns what is known of a column, None where the source has none of that name."""
        return (self.outputs or {}).get(name) or self.also_named.get(name)

    @property
    def spec(self) -> TableSpec | None:
        """Returns the table's columns, None where it is no scan."""
        return STORED[self.scan.table] if self.scan else None

    def columns(self) -> Collection[str] | None:
        """Returns the names it gives, in their order, None where they are not known."""
        if self.scan is not None:
            return _columns_of(self.scan.table)
        return None if self.outputs is None else self.outputs.keys()


@functools.cache
def _columns_of(table: str) -> Collection[str]:
    """Returns the names of a stored table's columns that queries see; whether one is among them is found at once."""
    spec, hidden = STORED[table], HIDDEN.get(table, ())
    names = (*spec.columns, *spec.variants)
    return dict.fromkeys(name for name in names if name not in hidden).keys()


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """A column that USING made of one or more.

    Attributes:
        members: the sources whose columns it is made of.
        parts: those that give its value, the first that is set; none where only the engine knows.
    """

    members: tuple[Source, ...]
    parts: tuple[Source, ...]

    def value(self, name: str) -> exp.Expr:
        """Returns its value, named by the aliases of its parts."""
        if not self.parts:
            return exp.column(name, quoted=True)
        first, *others = (exp.column(name, table=part.alias, quoted=True) for part in self.parts)
        return exp.Coalesce(this=first, expressions=others) if others else first


@dataclass(slots=True)
class Cte:
    """A named subquery: its SELECT, and its columns once it is bound."""

    select: exp.Select | None = None
    outputs: dict[str, Output] | None = None


@dataclass(slots=True)
class Columns:
    """The columns that a query gives.

    Attributes:
        outputs: by lower-case name, None where they are not known or two have one name.
        select: the SELECT, where paths can be added to it.
        bound: each as it is bound, those of every branch of a set operation; None where they are not known.
    """

    outputs: dict[str, Output] | None = None
    select: exp.Select | None = None
    bound: list[list[Bound]] | None = None


@dataclass(slots=True)
class Item:
    """One item of a select list.

    Attributes:
        written: a copy of it, before its names were bound.
        position: in the list, from 1.
        node: the item in the tree.
        taken_out: whether its values come only once the rows of the answer are known.
        open: whether a place decides which of its values count.
        type: the engine's type of it.
    """

    written: exp.Expr
    position: int
    node: exp.Expr
    taken_out: bool = False
    open: bool = True
    type: str | None = None


@dataclass(slots=True)
class Scope:
    """What names mean inside one SELECT.

    Attributes:
        indexes: how many indexes are around it, each the index of the next; a query among them counts for several.
        using: columns that USING made, by name; see `merged`.
        aliases: items of the select list by their alias, as they were written.
        grouped: chains that rows are grouped by, each as its source's alias and its path.
    """

    sources: dict[str, Source] = field(default_factory=dict)
    ctes: dict[str, Cte] = field(default_factory=dict)
    outer: Scope | None = None
    depth: int = 0
    indexes: int = 0
    using: dict[str, list[Merged]] = field(default_factory=dict)
    aliases: dict[str, Item] = field(default_factory=dict)
    grouped: set[tuple[str, tuple[Step, ...]]] = field(default_factory=set)

    def inner(self, indexes: int = 0) -> Scope:
        """Returns a scope for a subquery, which may stand inside indexes."""
        return Scope(outer=self, depth=self.depth + 1, indexes=self.indexes + indexes)

    def cte(self, name: str) -> Cte | None:
        """Returns the CTE of a name, looking outwards."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.ctes:
                return scope.ctes[name]
            scope = scope.outer
        return None

    def add(self, source: Source) -> None:
        """Adds a source.

        Raises:
            UnknownNameError: where the alias is taken.
        """
        if source.alias in self.sources:
            raise UnknownNameError(
                f"cannot run query: table {source.alias} is named twice; give one an alias"
            )
        self.sources[source.alias] = source

    def merge(self, name: str, column: Merged) -> None:
        """Adds a column that USING made, in place of those that it is made of."""
        others = [
            each
            for each in self.using.get(name, ())
            if not any(source in column.members for source in each.members)
        ]
        self.using[name] = [*others, column]

    def merged(self, name: str, sources: Sequence[Source]) -> Merged | None:
        """Returns the column that USING made of columns of some sources, None where they are not one."""
        for column in self.using.get(name, ()):
            if sources and all(source in column.members for source in sources):
                return column
        return None

    def named(self, alias: str) -> Source:
        """Returns the source of an alias.

        Raises:
            UnknownNameError: naming the nearest alias.
        """
        found = self.sources.get(alias.lower())
        if found is None:
            raise UnknownNameError(
                f"cannot run query: unknown table {alias}{nearest(alias, list(self.sources))}"
            )
        return found


@dataclass(frozen=True, slots=True)
class Found:
    """What a chain names: a source, and the steps from its column on.

    Attributes:
        others: what it names as well where a FULL JOIN merged columns: the first value that is set counts.
        merged: whether the engine merges the column, of which not everything is known here.
    """

    source: Source
    steps: list[Step]
    others: tuple[Found, ...] = ()
    merged: bool = False


def look_up(scope: Scope, steps: Sequence[Step]) -> Found | None:
    """Returns what a chain names in a scope or those around it.

    Raises:
        UnknownNameError: where several tables have the column, or the named table has not.
    """
    at: Scope | None = scope
    while at is not None:
        found = _in_scope(at, steps)
        if found is not None:
            return found
        at = at.outer
    return None


def _in_scope(scope: Scope, steps: Sequence[Step]) -> Found | None:
    name = steps[0].text.lower()
    if len(steps) > 1 and name in scope.sources and steps[1].index is None:
        source = scope.sources[name]
        if source.spec is not None or source.output(steps[1].text.lower()):
            return Found(source, _of_column(source, steps[1:]))
        if source.outputs is None:
            return Found(source, list(steps[1:]))
    owners = [source for source in scope.sources.values() if name in (source.columns() or ())]
    if len(owners) > 1:
        # The far side of a semi join is seen by its condition alone, which names it.
        owners = [source for source in owners if source.in_star] or owners
    merged = scope.merged(name, owners)
    if merged is not None:
        first, *others = (
            Found(part, _of_column(part, steps)) for part in merged.parts or owners[:1]
        )
        is_unknown = not merged.parts and len(steps) == 1
        return Found(first.source, first.steps, tuple(others), merged=is_unknown)
    if len(owners) > 1:
        names = ", ".join(owner.alias for owner in owners)
        raise UnknownNameError(
            f"cannot run query: column {name} is in {names}; write which: {owners[0].alias}.{name}"
        )
    return Found(owners[0], _of_column(owners[0], steps)) if owners else None


def _of_column(source: Source, steps: Sequence[Step]) -> list[Step]:
    """Returns steps whose first is a column's own name: names of columns ignore case.

    Raises:
        UnknownNameError: where a scan has no such column.
    """
    column = steps[0].text.lower()
    known = source.columns() or ()
    if source.spec is not None and column not in known:
        raise UnknownNameError(
            f"cannot run query: {source.alias} has no column {steps[0].text}{nearest(column, known)}"
        )
    return [Step(column), *steps[1:]]


def is_open(scope: Scope, name: str) -> bool:
    """Tells whether a name may come from a source whose columns are not known here, or is one's alias."""
    at: Scope | None = scope
    while at is not None:
        for source in at.sources.values():
            if source.columns() is None or name == source.alias:
                return True
        at = at.outer
    return False


def known_columns(scope: Scope) -> list[str]:
    """Returns the columns that a name in a scope may mean, for hints."""
    found: dict[str, None] = {}
    at: Scope | None = scope
    while at is not None:
        for source in at.sources.values():
            found.update(dict.fromkeys(source.columns() or ()))
        at = at.outer
    return list(found)
