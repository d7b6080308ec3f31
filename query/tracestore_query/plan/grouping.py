"""A grouping in two steps: partial groups of some rows, and the groups of all rows made of them. Knows no engine.

`SELECT key, sum(x) FROM scan WHERE c GROUP BY key` becomes a SELECT over groups of parts of the scan's rows. What such
a part gives does not depend on the others, so that the groups of rows that never change are worth keeping.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from tracestore_query.language.dialect import generate
from tracestore_query.language.replacement import put_in_place
from tracestore_query.plan.partial_aggregates import Aggregate, aggregate_of
from tracestore_query.plan.pruning import conjuncts
from tracestore_query.plan.top_n import gives_one_row_each

IsAggregate = Callable[[exp.Expr], bool]
NameOf = Callable[[exp.Expr], str | None]
"""Returns the name that the engine gives an item without a column or an alias."""

GROUPS: Final = "__groups"
"""The alias of the groups in the SELECT that is made of them."""

_CLAUSES: Final = frozenset(
    {"expressions", "from_", "where", "group", "having", "order", "limit", "offset", "distinct"}
)
"""What a SELECT may have; DISTINCT, ORDER BY and LIMIT are about the groups."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """A SELECT whose groups can be made of partial ones.

    Attributes:
        select: the SELECT in its tree.
        token: the scan that it reads.
        alias: the scan's name in the SELECT.
        keys: what it groups by.
        aggregates: what it computes of each group, by the text of the call.
    """

    select: exp.Select
    token: str
    alias: str
    keys: tuple[exp.Expr, ...]
    aggregates: Mapping[str, Aggregate]

    @property
    def conditions(self) -> list[exp.Expr]:
        """Returns the conditions that every row meets."""
        where = self.select.args.get("where")
        return [] if where is None else list(conjuncts(where.this))

    @property
    def columns(self) -> list[str]:
        """Returns the names of the columns of partial groups."""
        parts = sum(len(each.parts) for each in self.aggregates.values())
        return [*map(_key_name, range(len(self.keys))), *map(_part_name, range(parts))]

    def partial(
        self, conditions: Collection[exp.Expr], apart: Collection[exp.Expr] = ()
    ) -> exp.Select:
        """Returns the SELECT of partial groups of the scan's rows.

        Args:
            conditions: those that rows must meet.
            apart: by which the groups are told apart, too.
        """
        keys = [*apart, *self.keys]
        items = [*apart]
        items += [exp.alias_(key.copy(), _key_name(i)) for i, key in enumerate(self.keys)]
        parts = [part for each in self.aggregates.values() for part in each.parts]
        items += [exp.alias_(part.copy(), _part_name(i)) for i, part in enumerate(parts)]
        select = exp.Select(expressions=items)
        select.set("from_", self.select.args["from_"].copy())
        if conditions:
            select.set("where", exp.Where(this=exp.and_(*[each.copy() for each in conditions])))
        if keys:
            positions = [exp.Literal.number(i) for i in range(1, len(keys) + 1)]
            select.set("group", exp.Group(expressions=positions))
        return select

    def complete(self, groups: exp.Query, types: Collection[str], names: NameOf) -> bool:
        """Has the SELECT read partial groups in place of the scan's rows.

        Args:
            groups: their query.
            types: the engine's types of their columns.
            names: gives the names of items that have none of their own.

        Returns:
            False where something in it is neither a key nor an aggregate: the tree is of no more use then.
        """
        if not _put_names(self.select, names):
            return False
        finals = self._finals(list(types))
        keys = {generate(key): _group_column(_key_name(i)) for i, key in enumerate(self.keys)}
        for clause in _clauses(self.select):
            _replace(clause, finals, keys)
        if any(
            _is_of(self.alias, node) for clause in _clauses(self.select) for node in clause.walk()
        ):
            return False
        source = exp.Subquery(this=groups, alias=exp.TableAlias(this=exp.to_identifier(GROUPS)))
        self.select.set("from_", exp.From(this=source))
        self.select.set("where", None)
        positions = [_group_column(_key_name(i)) for i in range(len(self.keys))]
        self.select.set("group", exp.Group(expressions=positions) if positions else None)
        return True

    def _finals(self, types: list[str]) -> dict[str, exp.Expr]:
        """Returns what stands in the place of each call."""
        finals: dict[str, exp.Expr] = {}
        at = 0
        for text, aggregate in self.aggregates.items():
            number = len(aggregate.parts)
            columns = [_group_column(_part_name(i)) for i in range(at, at + number)]
            first = len(self.keys) + at
            finals[text] = aggregate.final(columns, types[first : first + number])
            at += number
        return finals


def groupings(
    tree: exp.Expr, tokens: Collection[str], is_aggregate: IsAggregate
) -> Iterator[Grouping]:
    """Yields the SELECTs of a tree whose groups can be made of partial ones.

    Args:
        tree: a bound query.
        tokens: of the scans in it.
        is_aggregate: tells of a node whether it calls an aggregate function.
    """
    for select in list(tree.find_all(exp.Select)):
        found = _grouping(select, tokens, is_aggregate)
        if found is not None:
            yield found


def _grouping(
    select: exp.Select, tokens: Collection[str], is_aggregate: IsAggregate
) -> Grouping | None:
    table = _only_table(select, tokens)
    if table is None:
        return None
    clauses = [*_clauses(select), *filter(None, [select.args.get("where")])]
    if any(_is_of_more(node) for clause in clauses for node in clause.walk()):
        return None
    alias = table.alias_or_name
    aggregates = _aggregates(select, is_aggregate)
    keys = _keys(select, is_aggregate)
    if not aggregates or keys is None or not all(map(gives_one_row_each, select.expressions)):
        return None
    read = [*keys, *(part for each in aggregates.values() for part in each.parts)]
    if not all(_reads_only(alias, node) for node in read):
        return None
    # The engine takes a key without a column for a constant, which makes one group even where there is no row.
    if not all(any(_is_of(alias, node) for node in key.walk()) for key in keys):
        return None
    return Grouping(select, table.name, alias, tuple(keys), aggregates)


def _only_table(select: exp.Select, tokens: Collection[str]) -> exp.Table | None:
    """Returns the scan that a SELECT reads, where it reads nothing else and has no other clauses."""
    if any(value for name, value in select.args.items() if name not in _CLAUSES):
        return None
    from_ = select.args.get("from_")
    table = from_.this if from_ is not None else None
    if not isinstance(table, exp.Table) or table.name not in tokens:
        return None
    if any(value for name, value in table.args.items() if name not in {"this", "alias"}):
        return None
    alias = table.args.get("alias")
    return None if alias is not None and alias.args.get("columns") else table


def _clauses(select: exp.Select) -> list[exp.Expr]:
    """Returns the parts of a SELECT that are computed of its groups."""
    others = [select.args.get(name) for name in ("having", "order")]
    return [*select.expressions, *[each for each in others if each is not None]]


def _is_of_more(node: exp.Expr) -> bool:
    """Tells whether a node is about more than the rows of one group."""
    return isinstance(node, exp.Query | exp.Window | exp.Star) and not (
        isinstance(node, exp.Star) and isinstance(node.parent, exp.Count)
    )


def _aggregates(select: exp.Select, is_aggregate: IsAggregate) -> dict[str, Aggregate] | None:
    """Returns what is computed of groups, by the texts of the calls; None where one of them is of no parts."""
    found: dict[str, Aggregate] = {}
    for clause in _clauses(select):
        for node in clause.walk(prune=lambda each: _is_call(each, is_aggregate)):
            if not _is_call(node, is_aggregate):
                continue
            aggregate = aggregate_of(node)
            if aggregate is None or _has_inner(node, is_aggregate):
                return None
            found[generate(node)] = aggregate
    return found


def _is_call(node: exp.Expr, is_aggregate: IsAggregate) -> bool:
    return isinstance(node, exp.Filter | exp.WithinGroup) or is_aggregate(node)


def _has_inner(node: exp.Expr, is_aggregate: IsAggregate) -> bool:
    """Tells whether an aggregate stands inside of a call of one."""
    call = node.this if isinstance(node, exp.Filter) else node
    inner = [*call.iter_expressions(), *([node.expression] if call is not node else [])]
    return any(_is_call(each, is_aggregate) for child in inner for each in child.walk())


def _keys(select: exp.Select, is_aggregate: IsAggregate) -> list[exp.Expr] | None:
    """Returns what a SELECT groups by; None where it does so in more than one way."""
    group = select.args.get("group") or exp.Group()
    if any(value for name, value in group.args.items() if name not in {"expressions", "all"}):
        return None
    items = [each.unalias() for each in select.expressions]
    written = [each.unnest() for each in group.expressions]
    if group.args.get("all") or any(map(_is_all, written)):
        keys = [item for item in items if not _is_aggregated(item, is_aggregate)]
        return keys if len(written) <= 1 else None
    positions = [int(str(key.this)) if _is_position(key) else 1 for key in written]
    if any(not 0 < position <= len(items) for position in positions):
        return None
    keys = [
        items[position - 1] if _is_position(key) else key
        for key, position in zip(written, positions, strict=True)
    ]
    no_keys = any(isinstance(key, exp.Tuple) or _is_aggregated(key, is_aggregate) for key in keys)
    return None if no_keys else keys


def _is_position(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and node.is_int


def _is_all(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column | exp.Var) and node.name.upper() == "ALL"


def _is_aggregated(node: exp.Expr, is_aggregate: IsAggregate) -> bool:
    return any(_is_call(each, is_aggregate) for each in node.walk())


def _is_of(alias: str, node: exp.Expr) -> bool:
    """Tells whether a node is a column of the scan."""
    return isinstance(node, exp.Column) and node.table.lower() == alias.lower()


def _reads_only(alias: str, node: exp.Expr) -> bool:
    """Tells whether an expression reads nothing but columns of the scan, and the names of its own lambdas."""
    return all(
        _is_of(alias, each) or _is_of_lambda(each)
        for each in node.walk()
        if isinstance(each, exp.Column)
    )


def _is_of_lambda(column: exp.Expr) -> bool:
    lambdas = exp.Lambda
    above = column.find_ancestor(lambdas)
    while above is not None:
        first = column.parts[0].name if isinstance(column, exp.Column) else column.name
        if first in {each.name for each in above.expressions}:
            return True
        above = above.find_ancestor(lambdas)
    return False


def _put_names(select: exp.Select, names: NameOf) -> bool:
    """Gives each item of a select list the name that it has; returns False where one has none that is known."""
    for item in select.expressions:
        if item.alias or isinstance(item, exp.Alias):
            continue
        if isinstance(item, exp.Column):
            name: str | None = item.name
        else:
            name = names(item) if item.find(exp.Column, exp.Placeholder) is None else None
        if name is None:
            return False
        alias = exp.alias_(exp.null(), name, quoted=True)
        put_in_place(item, alias)
        alias.set("this", item)
    return True


def _replace(
    clause: exp.Expr, finals: Mapping[str, exp.Expr], keys: Mapping[str, exp.Expr]
) -> None:
    """Puts what is made of partial groups in the places of aggregates and keys."""
    waiting = [clause.this if isinstance(clause, exp.Alias) else clause]
    while waiting:
        node = waiting.pop()
        text = generate(node) if not isinstance(node, exp.Order | exp.Having | exp.Ordered) else ""
        made = finals.get(text) or keys.get(text)
        if made is None:
            waiting += node.iter_expressions()
        else:
            put_in_place(node, made.copy())


def _key_name(number: int) -> str:
    return f"__key{number}"


def _part_name(number: int) -> str:
    return f"__part{number}"


def _group_column(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True), table=exp.to_identifier(GROUPS))
