"""JOIN ... USING: columns of both sides that are one to the reader, and compare by the rule for values."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tracestore_query.bind.chains import column_type
from tracestore_query.bind.scopes import Found, Merged, Scope, Source
from tracestore_query.bind.values.types import ITEM, NULL, Kind, is_wavering, kind_of
from tracestore_query.errors import UnknownNameError
from tracestore_query.language.allow_list import nearest

_ENGINE_COMPARES = frozenset({Kind.NUMBER, Kind.TEXT, Kind.BOOLEAN, Kind.TIME, Kind.OTHER})


def merge_columns(
    join: exp.Join, left: Sequence[Source], right: Sequence[Source], scope: Scope
) -> None:
    """Makes one column of each that a join's USING names; paths are compared by a condition instead.

    Raises:
        UnknownNameError: where a side has no such column, or several.
    """
    names = [column.name.lower() for column in join.args.get("using") or ()]
    pairs = [(_side(name, left, scope), _side(name, right, scope)) for name in names]
    if any(_is_ours(name, *sides) for name, sides in zip(names, pairs, strict=True)):
        join.set("on", _condition(join, names, pairs))
        join.set("using", None)
    for name, sides in zip(names, pairs, strict=True):
        for source in (each for side in sides for each in side.members):
            if source.scan is not None and source.spec and name in source.spec.columns:
                source.scan.fixed_columns[name] = None
            output = source.output(name)
            if output is not None and output.items is not None:
                output.items.read_whole()
        scope.merge(name, _together(str(join.side or "").upper(), *sides))


def first_set(node: exp.Expr, chain: Found) -> exp.Coalesce:
    """Returns what a chain into a column that is one of several means: the first of them that is set."""
    parts = [_qualified(node, each.source.alias) for each in (chain, *chain.others)]
    return exp.Coalesce(this=parts[0], expressions=parts[1:])


def _side(name: str, sources: Sequence[Source], scope: Scope) -> Merged:
    """Returns the column of a name that one side of a join has."""
    owners = [source for source in sources if name in (source.columns() or ())]
    owners = [source for source in owners if source.in_star] or owners
    merged = scope.merged(name, owners)
    if merged is not None:
        return merged
    if len(owners) > 1:
        raise UnknownNameError(
            f"cannot run query: column {name} of USING is in {', '.join(each.alias for each in owners)}; "
            f"write ON {owners[0].alias}.{name} = ..."
        )
    if owners:
        return Merged(tuple(owners), tuple(owners))
    unknown = [source for source in sources if source.columns() is None]
    if not unknown:
        known = [column for source in sources for column in source.columns() or ()]
        raise UnknownNameError(
            f"cannot run query: {' and '.join(each.alias for each in sources)} has no column {name} "
            f"for USING{nearest(name, known)}"
        )
    return Merged(tuple(unknown), tuple(unknown) if len(unknown) == 1 else ())


def _is_ours(name: str, *sides: Merged) -> bool:
    """Tells whether the rule for values compares a column, and not the engine."""
    if not all(side.parts for side in sides):
        return False
    if any(len(side.members) > 1 for side in sides):
        # The engine takes a column that a condition has merged for two.
        return True
    types = [_type_of(part, name) for side in sides for part in side.parts]
    return any(
        is_wavering(each) or each == NULL or kind_of(each) not in _ENGINE_COMPARES
        for each in types
        if each is not None
    )


def _type_of(source: Source, name: str) -> str | None:
    if source.scan is not None and source.spec is not None:
        is_variant = name in source.spec.variants
        return ITEM if is_variant else column_type(source.scan.table, name)
    output = source.output(name)
    return output.type if output is not None else None


def _condition(
    join: exp.Join, names: Sequence[str], pairs: Sequence[tuple[Merged, Merged]]
) -> exp.Expr:
    """Returns what a join's USING means."""
    # The last column of an ASOF join is the time, which has to be no later.
    is_asof = str(join.args.get("method") or "").upper() == "ASOF"
    condition: exp.Expr | None = None
    for number, (name, (left, right)) in enumerate(zip(names, pairs, strict=True), 1):
        compared = exp.GTE if is_asof and number == len(names) else exp.EQ
        one = compared(this=left.value(name), expression=right.value(name))
        condition = one if condition is None else exp.And(this=condition, expression=one)
    if condition is None:
        raise AssertionError("BUG: a join without columns in USING has no condition")
    return condition


def _together(side: str, left: Merged, right: Merged) -> Merged:
    """Returns the column that a join makes of those of its two sides."""
    members = (*left.members, *right.members)
    if side == "FULL":
        is_known = bool(left.parts and right.parts)
        return Merged(members, (*left.parts, *right.parts) if is_known else ())
    return Merged(members, right.parts if side == "RIGHT" else left.parts)


def _qualified(node: exp.Expr, alias: str) -> exp.Expr:
    """Returns a chain with the alias of its table before it."""
    chain = node.copy()
    column = chain
    while not isinstance(column, exp.Column):
        column = column.this
    first, *rest = column.parts
    qualified: exp.Expr = exp.column(first.copy(), table=exp.to_identifier(alias, quoted=True))
    for part in rest:
        qualified = exp.Dot(this=qualified, expression=part.copy())
    if column is chain:
        return qualified
    column.replace(qualified)
    return chain
