"""Values of mixed type in the engine's words: a tagged struct, and the macros that make one and read one.

The engine compares structs field by field, so the order of the fields is the order of values: by kind, then numbers
by their double and what is left of an integer that no double holds, then texts. Fields that a kind has no use for are
NULL, which the engine takes for equal inside a struct.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

VALUE: Final = "STRUCT(__kind UTINYINT, __number DOUBLE, __rest BIGINT, __text VARCHAR)"
"""The engine's type of a value, as it spells it."""

CANONICAL_JSON: Final = "__canonical_json"
"""The function that gives arrays and objects one spelling: keys sorted, numbers in one form."""

OF_TEXT: Final = "__of_text"
"""The macro that makes a value of a text."""

EXACT_INTEGERS: Final = 2**53
"""Integers up to here are exact as doubles."""


def _tagged(kind: int, number: str = "NULL", rest: str = "NULL", text: str = "NULL") -> str:
    return (
        f"{{'__kind': {kind}::UTINYINT, '__number': {number}::DOUBLE, "
        f"'__rest': {rest}::BIGINT, '__text': {text}::VARCHAR}}"
    )


_IS_WHOLE = "NOT regexp_matches(t, '[.eE]')"
_AS_DOUBLE = "coalesce(TRY_CAST(t AS DOUBLE), if(t LIKE '-%', '-inf', 'inf')::DOUBLE)"
_REST_OF_TEXT = (
    f"if({_IS_WHOLE}, "
    f"TRY_CAST(TRY_CAST(t AS HUGEINT) - TRY_CAST({_AS_DOUBLE} AS HUGEINT) AS BIGINT), NULL)"
)
# A double has at most 17 digits: a longer text that spells none of them is kept as it is.
_NO_DOUBLE = (
    f"if({_IS_WHOLE}, {_REST_OF_TEXT} IS NULL, length(t) > 18 AND t NOT ILIKE '%e%' "
    f"AND t <> ({_AS_DOUBLE})::VARCHAR)"
)
_REST_OF_INTEGER = (
    f"CASE WHEN i BETWEEN -{EXACT_INTEGERS} AND {EXACT_INTEGERS} THEN 0::BIGINT "
    "ELSE (i::HUGEINT - i::DOUBLE::HUGEINT)::BIGINT END"
)
_STRING_OF_JSON = "json_extract_string(j, '$')"
# A number of 39 digits at most, which HUGEINT holds.
_IS_INTEGER = "v.__kind = 1 AND abs(v.__number) < 1e38 AND trunc(v.__number) = v.__number"
_NUMBER_TEXT = """CASE
    WHEN v.__text IS NOT NULL THEN v.__text
    WHEN v.__rest <> 0 THEN (v.__number::HUGEINT + v.__rest)::VARCHAR
    WHEN abs(v.__number) < 1e18 AND trunc(v.__number) = v.__number THEN v.__number::BIGINT::VARCHAR
    WHEN abs(v.__number) < 1e38 AND trunc(v.__number) = v.__number THEN v.__number::HUGEINT::VARCHAR
    ELSE v.__number::VARCHAR END"""

MACROS: Final = {
    "__of_integer(i)": f"CASE WHEN i IS NOT NULL THEN {_tagged(1, 'i', _REST_OF_INTEGER)} END",
    "__of_double(d)": f"CASE WHEN d IS NOT NULL THEN {_tagged(1, 'd', '0')} END",
    "__of_text(s)": f"CASE WHEN s IS NOT NULL THEN {_tagged(2, text='s')} END",
    "__of_boolean(b)": f"CASE WHEN b IS NOT NULL THEN {_tagged(3, text='b')} END",
    "__of_array(a)": (
        f"CASE WHEN a IS NOT NULL THEN {_tagged(4, text=f'{CANONICAL_JSON}(a)')} END"
    ),
    "__of_object(o)": (
        f"CASE WHEN o IS NOT NULL THEN {_tagged(5, text=f'{CANONICAL_JSON}(o)')} END"
    ),
    "__of_number(t)": (
        f"CASE WHEN t IS NOT NULL THEN "
        f"{_tagged(1, _AS_DOUBLE, f'coalesce({_REST_OF_TEXT}, 0)', f'if({_NO_DOUBLE}, t, NULL)')} END"
    ),
    "__of_json(j)": (
        "CASE json_type(j) WHEN 'NULL' THEN NULL "
        f"WHEN 'VARCHAR' THEN {_tagged(2, text=_STRING_OF_JSON)} "
        f"WHEN 'BOOLEAN' THEN {_tagged(3, text='j')} "
        f"WHEN 'ARRAY' THEN {_tagged(4, text=f'{CANONICAL_JSON}(j::VARCHAR)')} "
        f"WHEN 'OBJECT' THEN {_tagged(5, text=f'{CANONICAL_JSON}(j::VARCHAR)')} "
        "ELSE __of_number(j::VARCHAR) END"
    ),
    "__as_number(v)": "v.__number",
    "__as_text(v)": "CASE WHEN v.__kind = 2 THEN v.__text END",
    "__as_boolean(v)": "CASE WHEN v.__kind = 3 THEN v.__text = 'true' END",
    "__as_whole(v)": f"CASE WHEN {_IS_INTEGER} THEN v.__number::HUGEINT + v.__rest END",
    "__as_fraction(v)": f"CASE WHEN NOT ({_IS_INTEGER}) THEN v.__number END",
    "__as_container(v)": "(CASE WHEN v.__kind >= 4 THEN v.__text END)::JSON",
    "__first_set(items)": "list_filter(items, lambda x: x IS NOT NULL AND x <> 'null')[1]",
    "__as_varchar(v)": f"CASE WHEN v.__kind = 1 THEN {_NUMBER_TEXT} ELSE v.__text END",
    "__as_json(v)": (
        f"(CASE v.__kind WHEN 1 THEN {_NUMBER_TEXT} WHEN 2 THEN to_json(v.__text)::VARCHAR "
        "ELSE v.__text END)::JSON"
    ),
    "__type_word(v)": (
        "CASE v.__kind WHEN 1 THEN CASE WHEN v.__text IS NOT NULL THEN 'number' "
        "WHEN trunc(v.__number) = v.__number THEN 'int64' ELSE 'double' END "
        "WHEN 2 THEN 'string' WHEN 3 THEN 'bool' WHEN 4 THEN 'array' WHEN 5 THEN 'object' END"
    ),
}
"""Macros by what they are called with: those that make a value of something, and those that read one as something."""

OF_ONE_VALUE: Final[Mapping[str, tuple[str, str]]] = {
    "__of_integer": ("BIGINT", VALUE),
    "__of_double": ("DOUBLE", VALUE),
    "__of_text": ("VARCHAR", VALUE),
    "__of_boolean": ("BOOLEAN", VALUE),
    "__of_array": ("VARCHAR", VALUE),
    "__of_object": ("VARCHAR", VALUE),
    "__of_number": ("VARCHAR", VALUE),
    "__of_json": ("VARCHAR", VALUE),
    "__as_number": (VALUE, "DOUBLE"),
    "__as_text": (VALUE, "VARCHAR"),
    "__as_boolean": (VALUE, "BOOLEAN"),
    "__as_whole": (VALUE, "HUGEINT"),
    "__as_fraction": (VALUE, "DOUBLE"),
    "__as_container": (VALUE, "JSON"),
    "__as_varchar": (VALUE, "VARCHAR"),
    "__as_json": (VALUE, "JSON"),
    "__type_word": (VALUE, "VARCHAR"),
}
"""The types of what macros of one value take and give, for another engine, which has other words for them."""

VALUE_FUNCTIONS: Final = frozenset({CANONICAL_JSON, *(name.split("(")[0] for name in MACROS)})
"""What the text of a query calls for values, beside what a user may call too."""


def create_statements() -> list[str]:
    """Returns the statements that give the engine its macros; the function must be there before."""
    return [f"CREATE MACRO {name} AS {body}" for name, body in MACROS.items()]
