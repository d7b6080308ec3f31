"""Types whose values Arrow has no form for, or a wrong one: they leave the engine as text.

The engine gives `UHUGEINT` as a signed number, `TIMETZ` without its offset, `BIT` and `BIGNUM` as their inner bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_WITHOUT_FORM: Final = re.compile(r"\b(UHUGEINT|BIT|BIGNUM|TIME WITH TIME ZONE)\b")
# Names of members and values of an ENUM are no types.
_QUOTED: Final = re.compile(r"\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*'")
_NESTED: Final = re.compile(r"[\[(]")


def with_arrow_forms(sql: str, names: Sequence[str], types: Sequence[str]) -> str | None:
    """Returns the text of a query whose columns all have a form in Arrow, None where they have one already.

    Args:
        sql: the text of the query.
        names: names of its columns.
        types: the engine's types of these.
    """
    plain = [_QUOTED.sub("", sql_type) for sql_type in types]
    if not any(map(_WITHOUT_FORM.search, plain)):
        return None
    columns = [f'"__c{i}"' for i in range(len(types))]
    items = [
        f"{_with_form(column, sql_type)} AS {quoted_name(name)}"
        for column, name, sql_type in zip(columns, names, plain, strict=True)
    ]
    rows = f"({sql}) AS __rows({', '.join(columns)})"
    return f"SELECT {', '.join(items)} FROM {rows}"  # noqa: S608 - of a checked text


def _with_form(column: str, sql_type: str) -> str:
    """Returns a column as text where it needs it, what is nested as JSON."""
    if _WITHOUT_FORM.search(sql_type) is None:
        return column
    is_nested = _NESTED.search(sql_type) is not None
    return f"to_json({column})" if is_nested else f"CAST({column} AS VARCHAR)"


def quoted_name(name: str) -> str:
    """Returns a name as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'
