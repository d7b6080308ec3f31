"""Answers of many calls, asked together: of a store, and of plain DuckDB as the oracle."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import duckdb

from sql.catalog.calls import Call
from sql.catalog.rows import ASKED, ROWS, Forms, read, untagged
from tracestore import Store
from tracestore.errors import QueryError

TOGETHER: Final = 25
"""Calls in one statement."""

_WITHOUT_ARROW: Final = frozenset({"UHUGEINT", "BIGNUM", "BIT", "TIME WITH TIME ZONE"})
"""Types that Arrow has no form for, or one that is no text of digits: they come as text."""


@dataclass(frozen=True, slots=True)
class Case:
    """A call to ask, and the answers that are right.

    Attributes:
        text: the call of a path.
        aggregate: whether it gives one row for all.
        right: answers, of which any may come.
    """

    text: str
    aggregate: bool
    right: tuple[list[Any], ...]


class Oracle:
    """Plain DuckDB over typed columns."""

    def __init__(self, plain: duckdb.DuckDBPyConnection) -> None:
        self._plain = plain
        self._asked: dict[tuple[str, str, bool], tuple[str, list[Any]] | None] = {}

    def answer(
        self, call: Call, argument: str, table: str = "typed"
    ) -> tuple[str, list[Any]] | None:
        """Returns the type and the rows of a call, None where plain DuckDB refuses it."""
        key = (call.of(argument, "i"), table, call.aggregate)
        if key not in self._asked:
            self._asked[key] = self._answer(*key)
        return self._asked[key]

    def in_other_orders(self, call: Call, argument: str, table: str) -> list[list[Any]]:
        """Returns the rows of an aggregate that meets rows in each other order: of rows that tie any may count."""
        found = []
        for order in list(itertools.permutations(range(3)))[1:]:
            places = ", ".join(str(order.index(i)) for i in range(3))
            rows = f"(SELECT * FROM {table} ORDER BY [{places}][i + 1])"
            answer = self._answer(call.of(argument, "i"), rows, aggregate=True)
            found += [answer[1]] if answer is not None else []
        return found

    def _answer(self, text: str, table: str, aggregate: bool) -> tuple[str, list[Any]] | None:
        order = "" if aggregate else " ORDER BY i"
        try:
            found = self._plain.sql(f"SELECT {text} AS c FROM {table}{order}")
            sql_type = str(found.types[0])
            if sql_type in _WITHOUT_ARROW:
                found = found.project("CAST(c AS VARCHAR) AS c")
            rows: list[Any] = found.to_arrow_table()["c"].to_pylist()
        except duckdb.Error:
            return None
        if sql_type == "JSON":
            rows = [each and read(each) for each in rows]
        return sql_type, [untagged(each) for each in rows]


def right_of_mixed(oracle: Oracle, call: Call, forms: Forms) -> tuple[str, list[Any]] | None:
    """Returns what a call gives of a path of several types, and the column that says so; None where it takes none.

    A place that takes any type gets values: as they are, or spelled where the call gives text. Another gets those
    of the first kind that it takes, and of others that give the same type.
    """
    if call.cast_to is not None:
        return _converted(oracle, call.cast_to, forms)
    if call.asks_for is not None:
        column = forms.of_kind.get(call.asks_for, f"NULL::{call.asks_for}")
        given = oracle.answer(call, column, "mixed")
        return None if given is None else (column, given[1])
    if (call.takes_any or call.is_of_rows) and not _computes(oracle, call):
        given = oracle.answer(call, forms.value, "mixed")
        if given is not None and oracle.answer(call, f"({forms.text})::BLOB", "mixed") is not None:
            column = {"JSON": forms.json, "VARCHAR": forms.text}.get(given[0], forms.value)
            given = oracle.answer(call, column, "mixed")
            return None if given is None else (column, given[1])
        if given is None:
            # What stands beside the path would have to be a value too.
            return None
    if call.declared == "JSON":
        if "[" in call.text:
            # Several paths give a list of texts.
            return None
        given = oracle.answer(call, forms.json, "mixed")
        return None if given is None else (forms.json, given[1])
    if call.signatures and all(each.endswith("]") for each in call.signatures):
        given = oracle.answer(call, forms.lists, "mixed")
        if given is not None:
            return forms.lists, given[1]
    return _by_kind(oracle, call, forms)


def _computes(oracle: Oracle, call: Call) -> bool:
    """Tells whether a call gives numbers of another type than it takes: it hands no values on."""
    given = oracle.answer(call, "i::SMALLINT", "mixed")
    of_values = oracle.answer(call, "mix_v", "mixed")
    if given is None or of_values is None:
        return False
    return "STRUCT(k" in of_values[0] and "SMALLINT" not in given[0]


def _converted(oracle: Oracle, sql_type: str, forms: Forms) -> tuple[str, list[Any]] | None:
    """Returns what a conversion gives: each value as values of its own kind are converted."""
    if sql_type == "VARCHAR":
        column = forms.text
        given = oracle.answer(Call("", "{}", ""), column, "mixed")
        return None if given is None else (column, given[1])
    if sql_type in {"BIT", "BLOB", "JSON"} or sql_type.endswith("]") or not forms.of_kind:
        return None
    given = _by_kind(oracle, Call("", f"TRY_CAST({{}} AS {sql_type})", ""), forms)
    return given if len(forms.of_kind) == len(forms.kinds) else None


def _by_kind(oracle: Oracle, call: Call, forms: Forms) -> tuple[str, list[Any]] | None:
    answers = [
        (kind, oracle.answer(call, kind, "mixed")) for kind in forms.kinds if call.may_take(kind)
    ]
    taken = [(kind, answer) for kind, answer in answers if answer is not None]
    if not taken:
        return None
    column, first = taken[0]
    if call.aggregate or "OVER" in call.text:
        return column, first[1]
    rows = list(first[1])
    for kind, (sql_type, own) in taken[1:]:
        present = oracle.answer(Call("", "({} IS NOT NULL)", ""), kind, "mixed")
        if sql_type == first[0] and present is not None:
            rows = [
                mine if there else row
                for row, mine, there in zip(rows, own, present[1], strict=True)
            ]
    return column, rows


def answers(
    store: Store, state: str, texts: Sequence[str], *, aggregate: bool
) -> list[list[Any] | str]:
    """Returns what a store gives for each call; asked together, and one by one where that fails."""
    items = ", ".join(f"{text} AS c{i}" for i, text in enumerate(texts))
    order = "" if aggregate else " ORDER BY start_ns"
    sql = f"SELECT {items} FROM spans WHERE name = '{ASKED}'{order}"
    try:
        rows = store.sql(sql, projects=[state]).rows()
    except QueryError as error:
        if len(texts) == 1:
            return [f"error: {error}"]
        half = len(texts) // 2
        return [
            *answers(store, state, texts[:half], aggregate=aggregate),
            *answers(store, state, texts[half:], aggregate=aggregate),
        ]
    return [[row[f"c{i}"] for row in rows] for i in range(len(texts))]


def wrong_answers(
    store: Store, state: str, cases: Sequence[Case]
) -> list[tuple[Case, list[Any] | str]]:
    """Returns the cases whose answers are none of those that are right."""
    wrong = []
    for aggregate, together in ((False, TOGETHER), (True, TOGETHER), (False, 1)):
        # What makes rows makes them of what stands beside it, too.
        makes_rows = together == 1
        chosen = [
            case
            for case in cases
            if case.aggregate is aggregate and (not aggregate and _makes_rows(case)) is makes_rows
        ]
        for start in range(0, len(chosen), together):
            batch = chosen[start : start + together]
            given = answers(store, state, [case.text for case in batch], aggregate=aggregate)
            wrong += [
                (case, answer)
                for case, answer in zip(batch, given, strict=True)
                if isinstance(answer, str) or not any(alike(answer, each) for each in case.right)
            ]
    return wrong


def _makes_rows(case: Case) -> bool:
    return "generate_subscripts" in case.text or any(len(each) != ROWS for each in case.right)


def alike(got: Any, want: Any) -> bool:
    """Tells whether two answers are the same: numbers by their value, maps whichever form they come in."""
    got, want = _comparable(got), _comparable(want)
    if isinstance(got, float) and isinstance(want, float):
        close = math.isclose(got, want, rel_tol=1e-9)
        return got == want or close or (math.isnan(got) and math.isnan(want))
    if isinstance(got, list) and isinstance(want, list):
        return len(got) == len(want) and all(map(alike, got, want))
    if isinstance(got, dict) and isinstance(want, dict):
        return got.keys() == want.keys() and all(alike(got[key], want[key]) for key in got)
    return bool(got == want) or str(got) == str(want)


def _comparable(value: Any) -> Any:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple):
        if value and all(isinstance(each, tuple) and len(each) == 2 for each in value):
            return {_key(key): item for key, item in value}
        return list(value)
    return value


def _key(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value)
