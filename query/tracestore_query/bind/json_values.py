"""Values inside JSON that has no columns of its own: list items, and columns of subqueries."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tracestore_query.bind.expected_type import Use, Want
from tracestore_query.bind.path_resolution import readings
from tracestore_query.language.path_syntax import Step

MAX_READINGS = 16
"""Ways to cut a dotted chain into keys that are tried: five names in a row, as long as keys come."""

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
    """Returns the JSON at steps inside a JSON value, NULL where it is missing or null."""
    found = [value]
    run: list[Step] = []
    for step in steps:
        if step.index is None:
            run.append(step)
            continue
        found = [_item(each, step.index) for each in _keys(found, run)]
        run = []
    found = _keys(found, run)
    whole = found[0] if len(found) == 1 else exp.Coalesce(this=found[0], expressions=found[1:])
    return exp.Nullif(this=whole, expression=exp.Literal.string("null"))


def of_use(value: exp.Expr, want: Want) -> exp.Expr:
    """Returns a JSON value for a use: the rules for leaves, by the value's own type."""
    by_type = {
        Use.TEXT: (("VARCHAR",), "VARCHAR"),
        Use.NUMBER: (_NUMBERS, "DOUBLE"),
        Use.BOOL: (("BOOLEAN",), "BOOLEAN"),
    }
    if want.use in by_type:
        types, sql_type = by_type[want.use]
        text = _text(value)
        return _if_type(value, types, text if sql_type == "VARCHAR" else _try_cast(text, sql_type))
    if want.use is Use.LIST:
        return _try_cast(value, "JSON[]")
    if want.use is Use.TYPEOF:
        ifs = [
            exp.If(this=exp.Literal.string(name), true=exp.Literal.string(word))
            for name, word in _WORDS.items()
        ]
        return exp.Case(this=_type(value), ifs=ifs)
    if want.use in {Use.CAST, Use.AS_TYPE} and want.to is not None:
        nested = want.to.this in exp.DataType.NESTED_TYPES or want.to.this == exp.DType.JSON
        return exp.TryCast(this=value.copy() if nested else _text(value), to=want.to.copy())
    return value


def _keys(values: Sequence[exp.Expr], run: Sequence[Step]) -> list[exp.Expr]:
    """Returns what lies under a run of names: under each way to cut it into keys."""
    if not run:
        return list(values)
    pointers = []
    # The first name may be part of a key, unlike the column that stored paths begin with.
    for keys in readings([Step("", exact=True), *run]):
        pointers.append("".join("/" + _escaped(key) for key in keys[1:]))
        if len(pointers) == MAX_READINGS:
            break
    return [_extract(value, pointer) for value in values for pointer in pointers]


def _extract(value: exp.Expr, pointer: str) -> exp.Expr:
    literal = exp.Literal.string(pointer)
    return exp.Anonymous(this="json_extract", expressions=[value.copy(), literal])


def _item(value: exp.Expr, index: int) -> exp.Expr:
    return _extract(value, f"$[#{index}]" if index < 0 else f"$[{index}]")


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


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
