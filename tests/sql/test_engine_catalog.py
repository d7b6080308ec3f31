"""Every function, aggregate, window function, operator and cast that queries may call, by DuckDB's own catalog.

A path of one type gives what plain DuckDB gives for a typed column. A path of several types, and an item of a list,
give what the rule says (docs/guide/sql.md, "Types"). A path that no row has is a NULL. All of it wherever the rows
lie (`turns.py`). A function that a new DuckDB brings is covered without a change here.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pytest

from sql.catalog.asking import Case, Oracle, right_of_mixed, wrong_answers
from sql.catalog.calls import ASKED_KINDS, Call, Signature, every_call
from sql.catalog.rows import COLUMNS, MIXED, STATES, build, forms_of, held_in, plain_tables
from sql.turns import in_turn
from tracestore import Store

SHOWN: Final = 100
"""Wrong answers that are shown."""

PATHS_OF_CALL: Final = (1, 2)
"""Paths that a call is asked of: in each state, and in the first one."""

TURNS: Final = 3
"""Of so many calls one is asked in a state but the first, by default: each in two of the six."""

ROWS_DISAGREE: Final = "Mismatched n values"
"""DuckDB refuses so where rows differ in an argument that all must share, and its threads met different ones first."""

OF_THEIR_OWN: Final = frozenset(
    {
        *("hash", "histogram", "histogram_exact", "histogram_values", "mode", "nullif", "typeof"),
        *(
            "contains",
            "equi_width_bins",
            "list_string_agg",
            "array_string_agg",
            "parse_filename",
            "parse_path",
        ),
        *("parse_dirname", "parse_dirpath", "struct_pack", "list_reduce", "array_reduce", "reduce"),
    }
)
"""Functions of the form of a value, of any of several that are alike, and those that compare values as `=` does."""


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    plain = plain_tables()
    yield Oracle(plain)
    plain.close()


@pytest.fixture(scope="module")
def listed() -> tuple[list[Call], set[str]]:
    plain = plain_tables()
    try:
        return every_call(plain)
    finally:
        plain.close()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with build(tmp_path_factory.mktemp("catalog") / "store") as made:
        yield made


def check(
    store: Store, oracle: Oracle, state: str, cases: list[tuple[Case, Call, str, str]], what: str
) -> None:
    """Fails where answers are wrong; an aggregate may meet rows in any order."""
    asked = [case for case, *_ in cases]
    by_text = {case.text: (call, argument, table) for case, call, argument, table in cases}
    functions = {call.name for _, call, *_ in cases}
    print(  # noqa: T201 - how many are covered is asked for
        f"{state}: {len(cases)} calls of {len(functions)} functions, operators and casts with {what}"
    )
    wrong = []
    for case, answer in wrong_answers(store, state, asked):
        call, argument, table = by_text[case.text]
        if call.aggregate and isinstance(answer, str) and ROWS_DISAGREE in answer:
            continue
        if call.aggregate and argument and not isinstance(answer, str):
            others = oracle.in_other_orders(call, argument, table)
            if not wrong_answers(store, state, [Case(case.text, True, (*case.right, *others))]):
                continue
        wrong.append(
            f"{case.text}: got {answer!r:.300}, want {' or '.join(map(repr, case.right)):.300}"
        )
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong[:SHOWN])


def asked_of(call: Call, names: Sequence[str]) -> Sequence[str]:
    """Returns the paths that a call is asked of, in an order that differs by the call."""
    return random.Random(call.text).sample(names, len(names))


def test_every_function_is_called(listed: tuple[list[Call], set[str]]) -> None:
    calls, left = listed
    names = {call.name for call in calls}
    print(f"{len(calls)} calls of {len(names)} functions, operators, casts and forms")  # noqa: T201 - how many are covered is asked for
    assert not left, "no call is known of these"
    assert len(names) > 500


def test_a_function_that_a_new_engine_brings_is_called_without_a_change() -> None:
    more: list[Signature] = [
        ("list_of_tomorrow", "scalar", ["T[]", "VARCHAR"], None),
        ("regr_of_tomorrow", "aggregate", ["DOUBLE"], "BIGINT"),
    ]
    plain = plain_tables()
    try:
        calls, left = every_call(plain, more)
    finally:
        plain.close()
    assert {call.text for call in calls if "tomorrow" in call.name} == {
        "list_of_tomorrow({}, 'a')",
        "list_of_tomorrow([1, 2], {})",
        "regr_of_tomorrow({}, 1)",
        "regr_of_tomorrow(0.5, {})",
        "regr_of_tomorrow({}, 1) OVER (ORDER BY __place)",
        "regr_of_tomorrow(0.5, {}) OVER (ORDER BY __place)",
    }
    assert not left


@pytest.mark.parametrize("state", STATES)
def test_a_path_of_one_type_is_a_column_of_that_type(
    store: Store, oracle: Oracle, listed: tuple[list[Call], set[str]], state: str
) -> None:
    cases = []
    for call in in_turn(listed[0], state, STATES, TURNS):
        asked = 0
        for name in asked_of(call, list(COLUMNS)):
            values = COLUMNS[name][1]
            column = f'"{name}"'
            if call.asks_for is not None and type(values[0]) not in ASKED_KINDS[call.asks_for]:
                column = f"NULL::{call.asks_for}"
            # The text of a list is that of JSON.
            is_own = call.name in OF_THEIR_OWN or (
                call.cast_to == "VARCHAR" and isinstance(values[0], list)
            )
            given = None if is_own else oracle.answer(call, column)
            if given is not None:
                text = call.of(f"{held_in(state)}.{name}", "start_ns")
                cases.append((Case(text, call.aggregate, (given[1],)), call, column, "typed"))
                asked += 1
                if asked == PATHS_OF_CALL[state == STATES[0]]:
                    break
    check(store, oracle, state, cases, "a path of one type")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("place", ["path", "item"])
def test_a_path_of_several_types_gives_what_the_rule_says(
    store: Store, oracle: Oracle, listed: tuple[list[Call], set[str]], state: str, place: str
) -> None:
    cases = []
    held = held_in(state) + (".items[0]" if place == "item" else "")
    for call in in_turn(listed[0], state, STATES, TURNS):
        asked = 0
        for name in asked_of(call, list(MIXED)):
            if call.name in OF_THEIR_OWN:
                continue
            right = right_of_mixed(oracle, call, forms_of(name, in_list=place == "item"))
            if right is not None:
                text = call.of(f"{held}.{name}", "start_ns")
                cases.append((Case(text, call.aggregate, (right[1],)), call, right[0], "mixed"))
                asked += 1
                if asked == PATHS_OF_CALL[state == STATES[0]]:
                    break
    check(store, oracle, state, cases, f"values of several types, in a {place}")


@pytest.mark.parametrize("state", STATES)
def test_a_path_that_no_row_has_is_a_null(
    store: Store, oracle: Oracle, listed: tuple[list[Call], set[str]], state: str
) -> None:
    cases = []
    for call in in_turn(listed[0], state, STATES, TURNS):
        right: list[list[Any]] = []
        for kind in ("NULL", *(f"NULL::{kind}" for kind, _ in COLUMNS.values())):
            given = oracle.answer(call, kind)
            if given is not None and given[1] not in right and call.name not in OF_THEIR_OWN:
                right.append(given[1])
        if right:
            text = call.of(f"{held_in(state)}.no", "start_ns")
            cases.append((Case(text, call.aggregate, tuple(right)), call, "", "typed"))
    check(store, oracle, state, cases, "a path that no row has")
