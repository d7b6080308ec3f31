"""Every function, aggregate, window function and operator that queries may call, by DuckDB's own catalog.

A path of one type gives what plain DuckDB gives for a typed column. A path of several types gives, row by row, what
its kinds give; an item of a list gives the same; a path that no row has is a NULL. A function that a new DuckDB
brings is covered without a change here.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from data.stores import build
from tracestore import Store
from tracestore.errors import QueryError
from tracestore_query.language.allowed_functions import allowed

COLUMNS: dict[str, tuple[str, list[Any]]] = {
    "int": ("BIGINT", [1, 2, 3]),
    "dbl": ("DOUBLE", [0.5, 1.5, 2.25]),
    "str": ("VARCHAR", ["a", "B c", "12"]),
    "boo": ("BOOLEAN", [True, False, True]),
    "ints": ("BIGINT[]", [[1, 2], [3], [4]]),
    "strs": ("VARCHAR[]", [["a"], ["b", "c"], ["d"]]),
}
MIXED: list[Any] = [2, "a", True]
KINDS = ("int", "str", "boo")
"""The column of each of the mixed rows, in the order in which kinds are preferred."""

SAMPLES = {
    "VARCHAR": "'a'",
    "BOOLEAN": "true",
    "DATE": "DATE '2026-01-02'",
    "TIMESTAMP": "TIMESTAMP '2026-01-02 03:04:05'",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ '2026-01-02 03:04:05+00'",
    "TIME": "TIME '03:04:05'",
    "INTERVAL": "INTERVAL 1 DAY",
    "BLOB": "'a'::BLOB",
    "JSON": "'{\"a\": 1}'::JSON",
    "ANY": "1",
    "T": "1",
    "T[]": "[1, 2]",
    "ANY[]": "[1, 2]",
    "VARCHAR[]": "['a']",
    "DOUBLE[]": "[0.5]",
    "DOUBLE": "0.5",
    "FLOAT": "0.5",
}
NUMBERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "DECIMAL"})
BATCH = 20

# Where an argument must be the same in all rows and is not, DuckDB takes that of one row or refuses, as rows come.
REFUSED: list[Any] = ["refused"]

# What they give depends on the moment, on chance, on where rows lie, or on what they are called for and not with.
# DuckDB binds them to a NULL of type DOUBLE, by which types are asked for, and to no column of doubles.
BOUND_TO_NULLS_ALONE = frozenset({"epoch_ms", "make_timestamp"})
# `typeof` names the row's own type (docs/guide/sql.md).
NOT_OF_THEIR_ARGUMENTS = frozenset(
    [
        "age",
        "ago",
        "any_value",
        "approx_quantile",
        "approx_top_k",
        "arbitrary",
        "bitstring_agg",
        "first",
        "last",
        "mode",
        "reservoir_quantile",
        "typeof",
    ]
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call with a path at one position.

    Attributes:
        text: with `{}` in the place of the path.
        aggregate: whether it gives one row for all.
        generic: whether the function takes any type, or JSON, somewhere.
    """

    text: str
    aggregate: bool
    generic: bool

    def of(self, argument: str) -> str:
        """Returns the call with an argument in its place."""
        return self.text.replace("{}", argument)


@pytest.fixture(scope="module")
def plain() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    listed = ", ".join(f'"{name}" {kind}' for name, (kind, _) in COLUMNS.items())
    for table in ("typed", "rows_of_kinds"):
        connection.execute(f"CREATE TABLE {table} (i INTEGER, {listed})")
    for i in range(3):
        values = [column[1][i] for column in COLUMNS.values()]
        connection.execute("INSERT INTO typed VALUES (?, ?, ?, ?, ?, ?, ?)", [i, *values])
        held = [MIXED[i] if name == KINDS[i] else None for name in COLUMNS]
        connection.execute("INSERT INTO rows_of_kinds VALUES (?, ?, ?, ?, ?, ?, ?)", [i, *held])
    yield connection
    connection.close()


@pytest.fixture(scope="module", params=["memtable", "many segments"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    rows = []
    for i in range(3):
        attributes = {name: values[i] for name, (_, values) in COLUMNS.items()}
        attributes["mix"] = MIXED[i]
        rows.append(
            {
                "trace_id": f"{i + 1:032x}",
                "span_id": f"{i + 1:016x}",
                "start_ns": 1_790_000_000_000_000_000 + i,
                "attributes": attributes,
                "input": {"items": [{"v": MIXED[i]}]},
            }
        )
    with build(
        tmp_path_factory.mktemp("catalog") / "s", request.param, {"spans": rows}, pieces=3
    ) as made:
        yield made


@pytest.fixture(scope="module")
def calls(plain: duckdb.DuckDBPyConnection) -> list[Call]:
    """Returns every call that some column of the table may stand in."""
    listed = plain.execute(
        "SELECT DISTINCT function_name, function_type, parameter_types, varargs FROM duckdb_functions() "
        "WHERE function_type IN ('scalar', 'aggregate', 'window') AND internal AND stability = 'CONSISTENT' "
        "ORDER BY ALL"
    ).fetchall()
    callable_names = allowed([name for name, *_ in listed])
    generic = {
        name
        for name, _, types, varargs in listed
        if any(re.search(r"\b(ANY|T|K|V|JSON|TUPLE)\b", each) for each in (*types, varargs or ""))
    }
    found: dict[str, Call] = {}
    for name, kind, types, varargs in listed:
        is_operator = not name.replace("_", "").isalnum()
        if name in NOT_OF_THEIR_ARGUMENTS or (name not in callable_names and name not in OPERATORS):
            continue
        every = [*types, *([varargs] if varargs else [])]
        samples = [_sample(each) for each in every]
        for at in range(len(every)):
            if any(sample is None for i, sample in enumerate(samples) if i != at):
                continue
            arguments = [("{}" if i == at else str(sample)) for i, sample in enumerate(samples)]
            text = _written(name, arguments, is_operator=is_operator)
            if text is not None:
                found[text] = Call(
                    text + (" OVER ()" if kind == "window" else ""),
                    kind == "aggregate",
                    name in generic,
                )
    return list(found.values())


def call_kinds(plain: duckdb.DuckDBPyConnection, call: Call) -> list[str]:
    """Returns the types of columns that a call takes."""
    return [
        kind
        for name, (kind, _) in COLUMNS.items()
        if _plain_answer(plain, call, f'"{name}"', "typed") is not None
    ]


# Arrow has no form for these: what the engine gives of them there is another value.
WITHOUT_ARROW = frozenset({"UHUGEINT", "BIGNUM"})
OPERATORS = ("+", "-", "*", "/", "%", "//", "||", "&", "|", "~~", "!~~", "~~*", "^@", "<<", ">>")


def _sample(sql_type: str) -> str | None:
    return "1" if sql_type in NUMBERS else SAMPLES.get(sql_type)


def _written(name: str, arguments: list[str], *, is_operator: bool) -> str | None:
    if not is_operator:
        return f"{name}({', '.join(arguments)})"
    return f"({arguments[0]} {name} {arguments[1]})" if len(arguments) == 2 else None


def _plain_answer(
    plain: duckdb.DuckDBPyConnection, call: Call, argument: str, table: str
) -> list[Any] | None:
    """Returns what plain DuckDB gives, None where it refuses."""
    order = "" if call.aggregate else " ORDER BY i"
    try:
        found = plain.sql(f"SELECT {call.of(argument)} AS c FROM {table}{order}")
        is_json = str(found.types[0]) == "JSON"
        if str(found.types[0]) in WITHOUT_ARROW:
            found = found.project("CAST(c AS VARCHAR) AS c")
        answer: list[Any] = found.to_arrow_table()["c"].to_pylist()
    except duckdb.Error:
        return None
    return [each and json.loads(each) for each in answer] if is_json else answer


def _in_other_orders(
    store: Store, plain: duckdb.DuckDBPyConnection, call: Call, column: str
) -> list[list[Any]]:
    """Returns what plain DuckDB gives of the rows in each other order, where an aggregate may meet them in any.

    Rows of several segments come in any order: of rows that tie, any may count.
    """
    if not call.aggregate or store.stats().segments < 2:
        return []
    found = []
    for order in list(itertools.permutations(range(3)))[1:]:
        places = ", ".join(str(order.index(i)) for i in range(3))
        rows = f"(SELECT * FROM typed ORDER BY [{places}][i + 1])"
        answer = _plain_answer(plain, call, f'"{column}"', rows)
        found += [answer] if answer is not None else []
    return found


def _answers(store: Store, texts: Sequence[str], *, aggregate: bool) -> list[list[Any] | str]:
    """Returns what a store gives for each expression; asked together, and one by one where that fails."""
    items = ", ".join(f"{text} AS c{i}" for i, text in enumerate(texts))
    order = "" if aggregate else " ORDER BY start_ns"
    try:
        rows = store.sql(f"SELECT {items} FROM spans{order}").rows()
    except QueryError as error:
        if len(texts) == 1:
            return [f"error: {error}"]
        return [_answers(store, [text], aggregate=aggregate)[0] for text in texts]
    return [[row[f"c{i}"] for row in rows] for i in range(len(texts))]


def _compared(
    store: Store, cases: list[tuple[str, list[list[Any]]]], *, aggregate: bool
) -> list[str]:
    """Returns the expressions whose answers are none of those that are right."""
    wrong = []
    for start in range(0, len(cases), BATCH):
        batch = cases[start : start + BATCH]
        answers = _answers(store, [text for text, _ in batch], aggregate=aggregate)
        for (text, right), answer in zip(batch, answers, strict=True):
            refused = isinstance(answer, str) and REFUSED in right
            if not refused and not any(_alike(answer, each) for each in right):
                wrong.append(f"{text}: got {answer!r:.200}, want {right!r:.200}")
    return wrong


def _alike(got: Any, want: Any) -> bool:
    if isinstance(got, Decimal):
        got = float(got)
    if isinstance(want, Decimal):
        want = float(want)
    if isinstance(got, int | float) and isinstance(want, int | float):
        return (
            got == want
            or math.isclose(got, want, rel_tol=1e-9)
            or (math.isnan(got) and math.isnan(want))
        )
    if isinstance(got, list | tuple) and isinstance(want, list | tuple):
        return len(got) == len(want) and all(map(_alike, got, want))
    if isinstance(got, dict) and isinstance(want, dict):
        return got.keys() == want.keys() and all(_alike(got[key], want[key]) for key in got)
    return bool(got == want) or str(got) == str(want)


@pytest.mark.parametrize("aggregate", [False, True], ids=["scalar", "aggregate"])
def test_a_path_of_one_type_is_a_column_of_that_type(
    store: Store, plain: duckdb.DuckDBPyConnection, calls: list[Call], *, aggregate: bool
) -> None:
    cases = []
    for call in calls:
        for name in COLUMNS:
            answer = _plain_answer(plain, call, f'"{name}"', "typed")
            if call.aggregate is aggregate and answer is not None:
                right = [answer, *_in_other_orders(store, plain, call, name)]
                if not all(_alike(each, answer) for each in right):
                    right.append(REFUSED)
                cases.append((call.of(f"attributes.{name}"), right))
    names = {text.split("(")[0] for text, _ in cases}
    print(f"{len(cases)} calls of {len(names)} functions and operators")  # noqa: T201 - how many are covered is asked for
    wrong = _compared(store, cases, aggregate=aggregate)
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong[:60])
    assert len(names) > (40 if aggregate else 200)


def test_a_path_of_several_types_gives_what_each_kind_gives(
    store: Store, plain: duckdb.DuckDBPyConnection, calls: list[Call]
) -> None:
    """Where a function takes values of a kind, the rows of that kind give what plain DuckDB gives of them."""
    cases: list[tuple[str, list[list[Any]]]] = []
    for call in calls:
        if call.aggregate:
            continue
        if call.generic or call.text.split("(")[0] in BOUND_TO_NULLS_ALONE:
            # What takes any type takes values; which those are, other tests say.
            continue
        by_kind = {name: _plain_answer(plain, call, f'"{name}"', "rows_of_kinds") for name in KINDS}
        as_double = _plain_answer(plain, call, '"int"::DOUBLE', "rows_of_kinds")
        taken = [name for name, answer in by_kind.items() if answer is not None]
        if not taken or len(taken) == len(KINDS):
            # Taken by no kind, or by all: that is no question of kinds.
            continue
        nothing = [(by_kind[name] or [])[(KINDS.index(name) + 1) % 3] for name in taken]
        rows: list[list[Any]] = []
        for i, name in enumerate(KINDS):
            own = by_kind[name]
            rows.append([*([own[i]] if own is not None else []), *nothing, None])
            if name == "int" and as_double is not None:
                # Numbers inside of lists are doubles.
                rows[i].append(as_double[i])
        cases.append((call.of("attributes.mix"), [rows]))
        cases.append((call.of("input.items[0].v"), [rows]))
    print(f"{len(cases)} calls with values of several types")  # noqa: T201 - how many are covered is asked for
    wrong = []
    for start in range(0, len(cases), BATCH):
        batch = cases[start : start + BATCH]
        answers = _answers(store, [text for text, _ in batch], aggregate=False)
        for (text, [rows]), answer in zip(batch, answers, strict=True):
            right = not isinstance(answer, str) and all(
                any(_alike(got, one) for one in allowed_values)
                for got, allowed_values in zip(answer, rows, strict=True)
            )
            if not right:
                wrong.append(f"{text}: got {answer!r:.200}, want {rows!r:.200}")
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong[:60])
    assert len(cases) > 200


def test_no_call_of_a_path_that_no_row_has_fails(
    store: Store, plain: duckdb.DuckDBPyConnection, calls: list[Call]
) -> None:
    failed = []
    count = 0
    for aggregate in (False, True):
        each = [
            call.of("attributes.no")
            for call in calls
            if call.aggregate is aggregate
            and all(
                _plain_answer(plain, call, f"NULL::{kind}", "typed")
                for kind in call_kinds(plain, call)
            )
            and call_kinds(plain, call)
        ]
        count += len(each)
        for start in range(0, len(each), BATCH):
            batch = each[start : start + BATCH]
            answers = _answers(store, batch, aggregate=aggregate)
            failed += [
                f"{text}: {answer:.160}"
                for text, answer in zip(batch, answers, strict=True)
                if isinstance(answer, str)
            ]
    print(f"{count} calls of a path that no row has")  # noqa: T201 - how many are covered is asked for
    assert not failed, f"{len(failed)}:\n" + "\n".join(failed[:60])
