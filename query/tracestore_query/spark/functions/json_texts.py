"""Functions of JSON: Spark parses the text to a variant, and takes parts of that."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from tracestore_query.spark import values
from tracestore_query.spark.calls import Builder, Call
from tracestore_query.spark.functions.casts import json_items, to_json
from tracestore_query.spark.names import text

_STEP: Final = re.compile(
    r"\.\"((?:[^\"\\]|\\.)*)\"|\.([^.\[\"*]+)|\[(#-?\d+|\d+)\]|\[\"((?:[^\"\\]|\\.)*)\"\]"
)


def steps_of(call: Call, path: object) -> Sequence[str | int]:
    """Returns the keys and places of a path, as DuckDB's JSON functions write paths."""
    if isinstance(path, int):
        if not -(2**31) < path < 2**31:
            raise call.refused("with such a place", "count within the list")
        return [path]
    written = str(path)
    if written.startswith("/"):
        parts = written[1:].split("/")
        parts = [part.replace("~1", "/").replace("~0", "~") for part in parts]
        if any(part.isdigit() for part in parts):
            # A number is a key of an object, and a place in a list.
            raise call.refused("with numbers in a path of slashes", "write $.a[0]")
        return parts
    if not written:
        return []
    if not written.startswith("$"):
        return [written]
    steps: list[str | int] = []
    at = 1
    while at < len(written):
        found = _STEP.match(written, at)
        if found is None:
            raise call.refused(f"with path {written}", "name each key and place")
        quoted, plain, place, bracketed = found.groups()
        if place is not None:
            steps.append(int(place.removeprefix("#")))
        else:
            key = quoted if quoted is not None else plain if plain is not None else bracketed
            steps.append(key.replace('\\"', '"'))
        at = found.end()
    return steps


def _variant(call: Call, position: int = 0) -> str:
    return f"try_parse_json({call[position]})"


def variant_at(call: Call, steps: Sequence[str | int]) -> str:
    """Returns the variant at a path, NULL where there is none."""
    made = _variant(call)
    path = ""
    for step in steps:
        if isinstance(step, int) and step < 0:
            items = f"try_variant_get({made}, {text('$' + path)}, 'ARRAY<VARIANT>')"
            made, path = f"try_element_at({items}, {step})", ""
        elif isinstance(step, int):
            path += f"[{step}]"
        elif "'" not in step:
            path += f"['{step}']"
        elif '"' not in step:
            path += f'["{step}"]'
        else:
            raise call.refused("with both kinds of quotes in a key", "rename the key")
    return f"try_variant_get({made}, {text('$' + path)}, 'variant')" if path or not steps else made


def _extracted(call: Call) -> str:
    if call.arguments[1].type.is_list:
        raise call.refused("with a list of paths", "take one path at a time")
    path = call.constant(1)
    if path is None:
        return "CAST(NULL AS STRING)"
    return f"to_json({variant_at(call, steps_of(call, path))})"


def _extracted_string(call: Call) -> str:
    if call.arguments[1].type.is_list:
        raise call.refused("with a list of paths", "take one path at a time")
    path = call.constant(1)
    if path is None:
        return "CAST(NULL AS STRING)"
    found = f"to_json({variant_at(call, steps_of(call, path))})"
    return call.scope.let(
        found,
        lambda j: (
            f"CASE WHEN {j} = 'null' THEN NULL WHEN substring({j}, 1, 1) = '\"' "
            f"THEN {values.string_of_json(j)} ELSE {j} END"
        ),
    )


def _at_path(call: Call) -> str:
    """Returns the JSON text that a function looks at: the whole, or what is at its path."""
    if len(call.arguments) == 1:
        return call[0]
    return f"to_json({variant_at(call, steps_of(call, call.constant(1)))})"


def _type(call: Call) -> str:
    def named(j: str) -> str:
        first = f"substring(ltrim({j}), 1, 1)"
        number = (
            f"IF({j} RLIKE '[.eE]', 'DOUBLE', IF({j} LIKE '-%', 'BIGINT', "
            f"IF(try_cast({j} AS DECIMAL(38,0)) < 18446744073709551616, 'UBIGINT', 'HUGEINT')))"
        )
        return (
            f"CASE WHEN {j} IS NULL THEN NULL WHEN {first} = '\"' THEN 'VARCHAR' "
            f"WHEN {first} = '{{' THEN 'OBJECT' WHEN {first} = '[' THEN 'ARRAY' "
            f"WHEN {first} IN ('t', 'f') THEN 'BOOLEAN' WHEN {first} = 'n' THEN 'NULL' ELSE {number} END"
        )

    return call.scope.let(_at_path(call), named)


def _array_length(call: Call) -> str:
    def counted(j: str) -> str:
        items = json_items(j)
        return f"IF({j} IS NULL, NULL, coalesce(CAST(array_size({items}) AS {call.type.spark}), 0))"

    return call.scope.let(_at_path(call), counted)


def _keys(call: Call) -> str:
    """Returns the keys of an object in their order; of other values none."""
    if len(call.arguments) > 1:
        raise call.refused("with a path", "take its keys from json_extract of the path")
    return call.let(0, lambda j: f"IF({j} IS NULL, NULL, coalesce(json_object_keys({j}), array()))")


def _exists(call: Call) -> str:
    found = variant_at(call, steps_of(call, call.constant(1)))
    return call.let(0, lambda j: f"IF({j} IS NULL, NULL, {found} IS NOT NULL)")


def _to_json(call: Call) -> str:
    return to_json(call.arguments[0], call.scope)


def _array(call: Call) -> str:
    items = [f"coalesce({to_json(each, call.scope)}, 'null')" for each in call.arguments]
    commas = ", ',', ".join(items)
    return f"concat('[', {commas}, ']')" if items else "'[]'"


def _object(call: Call) -> str:
    parts: list[str] = []
    for at in range(0, len(call.arguments), 2):
        key, value = call.arguments[at], call.arguments[at + 1]
        parts += [
            text("," if at else "{"),
            values.json_of_string(key.sql),
            "':'",
            f"coalesce({to_json(value, call.scope)}, 'null')",
        ]
    return f"concat({', '.join([*parts, text('}')])})" if parts else "'{}'"


JSON_TEXTS: Final[dict[str, Builder]] = {
    "json_extract": _extracted,
    "json_extract_path": _extracted,
    "->": _extracted,
    "json_extract_string": _extracted_string,
    "json_extract_path_text": _extracted_string,
    "->>": _extracted_string,
    "json_type": _type,
    "json_array_length": _array_length,
    "json_keys": _keys,
    "json_exists": _exists,
    "json_valid": lambda call: call.let(
        0, lambda j: f"IF({j} IS NULL, NULL, try_parse_json({j}) IS NOT NULL)"
    ),
    "to_json": _to_json,
    "json_quote": _to_json,
    "json_array": _array,
    "json_object": _object,
    "json": lambda call: f"to_json(parse_json({call[0]}))",
}
