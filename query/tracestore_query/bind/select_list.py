"""The select list of a SELECT: names and types of its columns, and what ORDER BY and GROUP BY mean of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from tracestore_query.bind import late_materialization
from tracestore_query.bind.bind_state import Binding
from tracestore_query.bind.chains import Chains
from tracestore_query.bind.path_values import PathValues
from tracestore_query.bind.scopes import Columns, Item, Output, Scope, look_up
from tracestore_query.bind.typed.engine_types import EngineTypes, is_aggregate
from tracestore_query.bind.values.sources import Bound, ItemText
from tracestore_query.bind.values.types import ITEM, NULL, Kind
from tracestore_query.bind.values.uses import Use, Want
from tracestore_query.language.dialect import generate
from tracestore_query.language.nodes import find_nodes
from tracestore_query.language.path_syntax import name_of, steps_of
from tracestore_query.language.replacement import put_in_place
from tracestore_query.language.value_macros import OF_TEXT, VALUE

TypeOf = Callable[[Bound], str | None]


def is_chain(node: exp.Expr) -> bool:
    """Tells whether a node is a chain of names."""
    return isinstance(node, exp.Column | exp.Dot | exp.Bracket) and steps_of(node) is not None


def name_of_item(node: exp.Expr) -> str:
    """Returns the name an item of a select list has: its alias, the last name of its chain, or its text."""
    if node.alias:
        return str(node.alias)
    steps = steps_of(node) if is_chain(node) else None
    if steps:
        return name_of(steps)
    named = (exp.Column, exp.Dot, exp.Bracket, exp.Select)
    if isinstance(node, exp.Star) or node.find(*named) is None:
        return ""
    return generate(node)


def items_of(select: exp.Select) -> list[Item]:
    """Returns the items of a select list, as they are written."""
    return [Item(each.unalias().copy(), i, each) for i, each in enumerate(select.expressions, 1)]


def origin_of(node: exp.Expr, scope: Scope, chains: Chains) -> Output | None:
    """Returns where a column comes from, where it is a path."""
    value = node.unalias()
    steps = steps_of(value) if is_chain(value) else None
    chain = look_up(scope, steps) if steps else None
    if chain is None or chain.others:
        return None
    return chains.output(chain.source, chain.steps)


def take_out(
    select: exp.Select, scope: Scope, binding: Binding, paths: PathValues, items: list[Item]
) -> None:
    """Takes objects out of the select list, whose values come once the rows of the answer are known."""
    before = len(binding.rebuilt)
    late_materialization.take_out(select, scope, binding, paths)
    for rebuilt in binding.rebuilt[before:]:
        items[rebuilt.output].taken_out = True


def is_aggregated(node: exp.Expr, types: EngineTypes) -> bool:
    """Tells whether an aggregate function stands in an expression, and is no window function there."""
    return any(
        is_aggregate(call, types) and call.find_ancestor(exp.Window, exp.Query) is None
        for call in find_nodes(node, exp.Func)
    )


def note_grouped(select: exp.Select, scope: Scope, items: list[Item], types: EngineTypes) -> None:
    """Notes the chains that rows are grouped by."""
    group = select.args.get("group")
    if group is None:
        return
    written = [each for node in group.expressions for each in _each_key(node)]
    for sets in ("cube", "rollup", "grouping_sets"):
        for node in group.args.get(sets) or ():
            written += [each for inner in node.expressions for each in _each_key(inner)]
    if _is_by_all(group):
        written = [item.written for item in items if not is_aggregated(item.written, types)]
    for node in written:
        meant = _meant(node, scope, items)
        steps = steps_of(meant) if is_chain(meant) else None
        chain = look_up(scope, steps) if steps else None
        for each in (chain, *chain.others) if chain is not None else ():
            scope.grouped.add((each.source.alias, tuple(each.steps)))


def write_out_groups(select: exp.Select, items: list[Item], types: EngineTypes) -> None:
    """Writes out GROUP BY ALL where paths that no row has are all that it groups by.

    These are constants to the engine, which has one group of them even where there is no row.
    """
    group = select.args.get("group")
    if group is None or not _is_by_all(group):
        return
    keys = [item for item in items if not is_aggregated(item.written, types)]
    if any(_reads(select.expressions[key.position - 1]) for key in keys):
        return
    positions = [exp.Literal.number(key.position) for key in keys if _reads(key.written)]
    if positions:
        select.set("group", exp.Group(expressions=positions))


def group_by_texts(select: exp.Select, bound: Sequence[Bound]) -> None:
    """Groups by the texts that tagged values are made of: equal ones are of equal texts, which are found faster."""
    group = select.args.get("group")
    if group is None or any(group.args.get(key) for key in ("cube", "rollup", "grouping_sets")):
        return
    for key in list(group.expressions):
        made = key
        if isinstance(key, exp.Literal) and key.is_int and 0 < int(str(key.this)) <= len(bound):
            made = bound[int(str(key.this)) - 1].node
        if isinstance(made, exp.Anonymous) and made.this == OF_TEXT:
            key.replace(made.expressions[0].copy())


def _reads(node: exp.Expr) -> bool:
    return node.find(exp.Column, exp.Query) is not None


def _is_by_all(group: exp.Group) -> bool:
    return bool(group.args.get("all")) or any(
        _is_all(each) for node in group.expressions for each in _each_key(node)
    )


def _each_key(node: exp.Expr) -> list[exp.Expr]:
    return list(node.expressions) if isinstance(node, exp.Tuple) else [node.unnest()]


def _meant(node: exp.Expr, scope: Scope, items: list[Item]) -> exp.Expr:
    """Returns the item of the select list that a position or an alias stands for, else the node itself."""
    if isinstance(node, exp.Literal) and node.is_int:
        position = int(str(node.this))
        if 0 < position <= len(items):
            return items[position - 1].written
    if isinstance(node, exp.Column) and not node.table and node.name.lower() in scope.aliases:
        return scope.aliases[node.name.lower()].written
    return node


def _is_all(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column | exp.Var) and node.name.upper() == "ALL"


def write_out_order(select: exp.Select, scope: Scope, items: list[Item]) -> None:
    """Writes out what ORDER BY means of items whose values come late: they are ordered by in the engine."""
    order = select.args.get("order")
    if order is None or not any(item.taken_out for item in items):
        return
    keys: list[exp.Expr] = []
    for key in order.expressions:
        if not isinstance(key, exp.Ordered):
            keys.append(key)
        elif _is_all(key.this):
            for item in items:
                copy = key.copy()
                late = item.taken_out
                copy.set("this", item.written.copy() if late else exp.Literal.number(item.position))
                keys.append(copy)
        else:
            position = _position(key.this, scope, items)
            if position is not None and items[position].taken_out:
                key.set("this", exp.paren(items[position].written.copy()))
            keys.append(key)
    order.set("expressions", keys)


def _position(node: exp.Expr, scope: Scope, items: list[Item]) -> int | None:
    if isinstance(node, exp.Literal) and node.is_int:
        position = int(str(node.this)) - 1
        return position if 0 <= position < len(items) else None
    if isinstance(node, exp.Column) and not node.table and node.name.lower() in scope.aliases:
        return scope.aliases[node.name.lower()].position - 1
    return None


def must_settle(select: exp.Select, item: Item) -> bool:
    """Tells whether values of several kinds of an item are compared with one another."""
    if any(select.args.get(key) for key in ("distinct", "group", "qualify")):
        return True
    order = select.args.get("order")
    return order is not None and any(_may_mean(key, item) for key in order.expressions)


def _may_mean(key: exp.Expr, item: Item) -> bool:
    """Tells whether a key of ORDER BY may be about an item: by its position, or by a name that both have."""
    value = key.this if isinstance(key, exp.Ordered) else key
    if _is_all(value) or isinstance(value, exp.Literal):
        return True
    return bool(_names_in(value) & _names_in(item.node))


def _names_in(node: exp.Expr) -> set[str]:
    return {identifier.name.lower() for identifier in find_nodes(node, exp.Identifier)}


def is_of_numbers(bound: Bound) -> bool:
    """Tells whether a column has values of one kind, which are integers and doubles."""
    source = bound.source
    return source is not None and source.type == VALUE and source.kinds == {Kind.NUMBER}


def as_answer(bound: Bound) -> None:
    """Takes a column of the whole query as readers get it: JSON text by that name."""
    if bound.source is None:
        return
    is_item = isinstance(bound.node.parent, exp.Select)
    name = name_of_item(bound.node) if is_item else ""
    if bound.source.type == NULL:
        bound.put(exp.cast(bound.node.copy(), "JSON"))
    elif bound.source.type == ITEM:
        bound.take(Want(Use.JSON))
    elif bound.source.type == f"{ITEM}[]":
        bound.put(exp.cast(bound.node.copy(), "JSON[]"))
    if name:
        _put_name(bound.node, name)


def can_grow(select: exp.Select, types: EngineTypes) -> bool:
    """Tells whether a SELECT may give one more column without changing its rows."""
    if select.args.get("group") or select.args.get("distinct"):
        return False
    if isinstance(select.parent, exp.SetOperation):
        return False
    return not any(is_aggregated(each, types) for each in select.expressions)


def outputs(
    names: Sequence[str],
    select: exp.Select,
    bound: Sequence[Bound],
    origins: Sequence[Output | None],
    type_of: TypeOf,
) -> dict[str, Output] | None:
    """Returns the columns a SELECT gives, None where two have one name or one has none."""
    found: dict[str, Output] = {}
    for each, name, held, origin in zip(select.expressions, names, bound, origins, strict=False):
        shown = (name or each.alias_or_name).lower()
        if not shown or shown in found:
            return None
        sql_type = held.source.type if held.source is not None else type_of(held)
        kinds = held.source.kinds if held.source is not None else None
        is_text = isinstance(held.source, ItemText)
        path = origin.origin if origin is not None else None
        found[shown] = Output(path, sql_type, kinds, is_text=is_text)
    return found


def put_names(select: exp.Select, names: Sequence[str], bound: Sequence[Bound]) -> None:
    """Gives items of the select list the names that they had before they were bound."""
    for each, name, held in zip(list(select.expressions), names, bound, strict=False):
        # What still waits for its use may become another expression.
        if name and (held.source is not None or name_of_item(each) != name):
            _put_name(each, name)


def _put_name(item: exp.Expr, name: str) -> None:
    if not isinstance(item, exp.Alias | exp.Star):
        alias = exp.alias_(exp.null(), name, quoted=True)
        put_in_place(item, alias)
        # The item itself and no copy: its place may still decide which of its values count.
        alias.set("this", item)


def paired(left: Columns, right: Columns, *, by_name: bool) -> list[list[Bound]]:
    """Returns the columns of a set operation, those of all its branches together."""
    if by_name and left.outputs is not None and right.outputs is not None:
        other = dict(zip(right.outputs, right.bound or (), strict=False))
        pairs = [
            [*branches, *other.pop(name, [])]
            for name, branches in zip(left.outputs, left.bound or (), strict=False)
        ]
        return [*pairs, *other.values()]
    return [
        [*ours, *theirs] for ours, theirs in zip(left.bound or (), right.bound or (), strict=False)
    ]
