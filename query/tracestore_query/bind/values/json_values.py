"""Values inside JSON that has no columns of its own: list items, and columns of subqueries."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from sqlglot import exp

from tracestore_query.bind.path_resolution import readings
from tracestore_query.bind.values import tagged_values
from tracestore_query.bind.values.types import ITEM
from tracestore_query.bind.values.uses import Use, Want
from tracestore_query.language.path_syntax import Step

MAX_READINGS = 32
"""Ways to cut the dotted names of a path into keys that are tried: one call of the engine looks for all of them."""

_WORDS = {
    "VARCHAR": "string",
    "BIGINT": "int64",
    "UBIGINT": "int64",
    "HUGEINT": "number",
    "UHUGEINT": "number",
    "DOUBLE": "double",
    "BOOLEAN": "bool",
    "ARRAY": "array",
    "OBJECT": "object",
    "NULL": "null",
}
_NUMBERS = ("BIGINT", "UBIGINT", "DOUBLE", "HUGEINT", "UHUGEINT")


def at(value: exp.Expr, steps: Sequence[Step]) -> exp.Expr:
    """Returns the JSON at steps inside a JSON value, NULL where it is missing."""
    if not steps:
        return value
    paths = [exp.Literal.string(path) for path in json_paths(steps)]
    if len(paths) == 1:
        return tagged_values.call("json_extract", value.copy(), paths[0])
    every = tagged_values.call("json_extract", value.copy(), exp.Array(expressions=paths))
    return tagged_values.call("__first_set", every)


def json_paths(steps: Sequence[Step]) -> list[str]:
    """Returns the engine's paths for steps: one for each way to cut their dotted names into keys."""
    found: list[tuple[str | int, ...]] = [()]
    run: list[Step] = []
    for step in [*steps, None]:
        if step is not None and step.index is None:
            run.append(step)
            continue
        if run:
            cuts = _cuts(run)
            found = [(*before, *cut) for before in found for cut in cuts][:MAX_READINGS]
            run = []
        if step is not None and step.index is not None:
            found = [(*before, step.index) for before in found]
    return [_path(each) for each in found]


def _path(keys: Sequence[str | int]) -> str:
    if "" in keys:
        # The engine's paths have no empty key, its pointers have, but take the text of a number for an index.
        return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)
    return "$" + "".join(_key(key) if isinstance(key, str) else _index(key) for key in keys)


def _index(index: int) -> str:
    return f"[#{index}]" if index < 0 else f"[{index}]"


def _cuts(run: Sequence[Step]) -> list[tuple[str, ...]]:
    """Returns ways to cut names into keys: the first ones, and all names as one key."""
    # The first name may be part of a key, unlike the column that stored paths begin with.
    every = readings([Step("", exact=True), *run])
    cuts = [keys[1:] for keys in itertools.islice(every, MAX_READINGS - 1)]
    whole = (".".join(step.text for step in run),)
    if whole not in cuts and not any(step.exact for step in run):
        cuts.append(whole)
    return cuts


def _key(key: str) -> str:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'."{escaped}"'


def of_use(value: exp.Expr, want: Want) -> exp.Expr:
    """Returns a JSON value for a use: the rules for leaves, by the value's own type."""
    taken = _taken(value, want)
    if want.to is not None and want.use in {Use.NUMBER, Use.TEXT}:
        return exp.TryCast(this=taken, to=want.to.copy())
    return taken


def _taken(value: exp.Expr, want: Want) -> exp.Expr:
    by_type = {
        Use.TEXT: (("VARCHAR",), "VARCHAR"),
        Use.NUMBER: (_NUMBERS, "DOUBLE"),
        Use.BOOL: (("BOOLEAN",), "BOOLEAN"),
    }
    if want.use in by_type:
        types, sql_type = by_type[want.use]
        text = _text(value)
        return _if_type(value, types, text if sql_type == "VARCHAR" else _try_cast(text, sql_type))
    if want.use in {Use.VALUE, Use.JSON, Use.PRESENT, Use.BARE}:
        return _whole(value, want.use)
    if want.use is Use.LIST:
        return tagged_values.listed(
            _try_cast(exp.cast(value.copy(), "JSON"), "JSON[]"), ITEM, want.item
        )
    if want.use is Use.TYPEOF:
        ifs = [
            exp.If(this=exp.Literal.string(name), true=exp.Literal.string(word))
            for name, word in _WORDS.items()
        ]
        return exp.Case(this=_type(value), ifs=ifs)
    return value if want.to is None else _converted(value, want.to)


def _converted(value: exp.Expr, to: exp.DataType) -> exp.Expr:
    if to.this == exp.DType.JSON:
        return exp.cast(_unless_null(value), "JSON")
    if to.this in exp.DataType.NESTED_TYPES:
        return exp.TryCast(this=exp.cast(_unless_null(value), "JSON"), to=to.copy())
    return tagged_values.converted(tagged_values.tagged(value, ITEM), to)


def _whole(value: exp.Expr, use: Use) -> exp.Expr:
    """Returns a JSON value whatever it is."""
    if use is Use.VALUE:
        return tagged_values.tagged(value.copy(), ITEM)
    if use is Use.BARE:
        return value
    return exp.cast(_unless_null(value), "JSON") if use is Use.JSON else _unless_null(value)


def _unless_null(value: exp.Expr) -> exp.Expr:
    return exp.Nullif(this=value.copy(), expression=exp.Literal.string("null"))


def _text(value: exp.Expr) -> exp.Expr:
    """Returns a string without its quotes, anything else as JSON text."""
    return exp.Anonymous(
        this="json_extract_string", expressions=[value.copy(), exp.Literal.string("$")]
    )


def _type(value: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="json_type", expressions=[value.copy()])


def _if_type(value: exp.Expr, types: Sequence[str], then: exp.Expr) -> exp.Expr:
    listed = [exp.Literal.string(name) for name in types]
    return exp.Case(ifs=[exp.If(this=exp.In(this=_type(value), expressions=listed), true=then)])


def _try_cast(value: exp.Expr, sql_type: str) -> exp.Expr:
    return exp.TryCast(this=value.copy(), to=exp.DataType.build(sql_type, dialect="duckdb"))
