"""The one rule for values (docs/guide/sql.md, "Types"), in every state of a store: the same rows, the same answer."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from data.stores import STATES, build
from tracestore import Store

MIXED = [1, "err", 2.5, None, True, [1], {"k": 1}, 10, 9, 1.0]
BIG = 2**53 + 1


def spans(column: str, values: list[Any]) -> list[dict[str, Any]]:
    """Returns a span for each value of a variant column."""
    return [
        {
            "trace_id": f"{i + 1:032x}",
            "span_id": f"{i + 1:016x}",
            "name": f"n{i}",
            "start_ns": 1_790_000_000_000_000_000 + i,
            column: value,
        }
        for i, value in enumerate(values)
    ]


def paths(**columns: list[Any]) -> list[dict[str, Any]]:
    """Returns attributes from the values of each path; `...` leaves one out."""
    return [
        {key: value for key, value in zip(columns, row, strict=True) if value is not ...}
        for row in zip(*columns.values(), strict=True)
    ]


PAIRS = paths(a=[1, 2, 3], b=[1.0, "x", 3.0])
MIX = paths(x=MIXED)
CHOICE = paths(x=[1, "err", None], w=["w"] * 3)
CALLS = [{"calls": [{"tokens": n, "role": "user"}, None]} for n in (9, 10, 100)]
LISTS = paths(l=[["a", None], ["b"]], n=[[0.5, None], [1]], u=[["a"], [1]], i=[1, 0])

CASES: list[tuple[str, list[Any], str, Any, list[Any]]] = [
    # A value of another type is not NULL, also beside what is NULL: MIXED has ten values, of which one is.
    *(
        ("attributes", MIX, f"SELECT count(*) FROM spans WHERE {condition}", None, [count])
        for kind in ("BIGINT", "DOUBLE", "VARCHAR", "BOOLEAN", "TIMESTAMP", "DATE", "UUID")
        for condition, count in (
            (f"attributes.x IS NOT DISTINCT FROM nullif(NULL::{kind}, NULL)", 1),
            (f"nullif(NULL::{kind}, NULL) IS DISTINCT FROM attributes.x", 9),
        )
    ),
    *(
        ("attributes", MIX, f"SELECT count(*) FROM spans WHERE {condition}", None, [1])
        for kind in ("BIGINT", "DOUBLE", "VARCHAR", "BOOLEAN")
        for condition in (
            f"(attributes.x, 1) = (nullif(NULL::{kind}, NULL), 1)",
            f"(attributes.x, 1) IN ((nullif(NULL::{kind}, NULL), 1))",
        )
    ),
    (
        "attributes",
        MIX,
        """
        SELECT count(*) FROM (SELECT attributes.x AS m FROM spans) AS a
        LEFT JOIN (SELECT attributes.y AS y, duration_ns AS d FROM spans WHERE false) AS b ON true
        WHERE b.d IS NOT DISTINCT FROM a.m AND b.y IS NOT DISTINCT FROM a.m
        """,
        None,
        [1],
    ),
    # Two paths of different types.
    (
        "attributes",
        PAIRS,
        "SELECT name FROM spans WHERE attributes.a IN (SELECT attributes.b FROM spans) ORDER BY 1",
        None,
        ["n0", "n2"],
    ),
    (
        "attributes",
        PAIRS,
        "SELECT name FROM spans WHERE attributes.a NOT IN (SELECT attributes.b FROM spans) ORDER BY 1",
        None,
        ["n1"],
    ),
    (
        "attributes",
        PAIRS,
        "SELECT name FROM spans WHERE attributes.a = attributes.b ORDER BY 1",
        None,
        ["n0", "n2"],
    ),
    (
        "attributes",
        PAIRS,
        "SELECT attributes.a AS v FROM spans EXCEPT SELECT attributes.b FROM spans",
        None,
        [2],
    ),
    (
        "attributes",
        PAIRS,
        "SELECT attributes.a AS v FROM spans INTERSECT SELECT attributes.b FROM spans ORDER BY 1",
        None,
        [1, 3],
    ),
    (
        "attributes",
        PAIRS,
        "SELECT attributes.a AS v FROM spans UNION SELECT attributes.b FROM spans ORDER BY 1",
        None,
        [1, 2, 3, "x"],
    ),
    (
        "attributes",
        PAIRS,
        "SELECT count(*) AS v FROM spans s JOIN spans t ON s.attributes.a = t.attributes.b",
        None,
        [2],
    ),
    # One order and one equality.
    (
        "attributes",
        MIX,
        "SELECT attributes.x AS v FROM spans ORDER BY v, name",
        None,
        [1, 1.0, 2.5, 9, 10, "err", True, [1], {"k": 1}, None],
    ),
    (
        "attributes",
        MIX,
        "SELECT attributes.x AS v FROM spans ORDER BY attributes.x DESC NULLS LAST LIMIT 3",
        None,
        [{"k": 1}, [1], True],
    ),
    (
        "attributes",
        MIX,
        "SELECT max(attributes.x) AS v FROM spans WHERE typeof(attributes.x) IN ('int64', 'double')",
        None,
        [10],
    ),
    ("attributes", MIX, "SELECT min(attributes.x) AS v FROM spans", None, [1]),
    (
        "attributes",
        MIX,
        "SELECT arg_max(name, attributes.x) AS v FROM spans WHERE attributes.x > 0",
        None,
        ["n7"],
    ),
    ("attributes", MIX, "SELECT count(DISTINCT attributes.x) AS v FROM spans", None, [8]),
    (
        "attributes",
        MIX,
        "SELECT attributes.x AS x, count(*) AS v FROM spans GROUP BY x ORDER BY x LIMIT 1",
        None,
        [2],
    ),
    (
        "attributes",
        MIX,
        "SELECT greatest(attributes.x, 5) AS v FROM spans ORDER BY name LIMIT 3",
        None,
        [5, "err", 5],
    ),
    (
        "attributes",
        MIX,
        "SELECT list(attributes.x ORDER BY name) AS v FROM spans WHERE name < 'n3'",
        None,
        [[1, "err", 2.5]],
    ),
    ("attributes", MIX, "SELECT sum(attributes.x) AS v FROM spans", None, [23.5]),
    (
        "attributes",
        MIX,
        "SELECT x.v AS v FROM (SELECT attributes.x AS v FROM spans) x WHERE x.v > 5 ORDER BY 1",
        None,
        [9, 10],
    ),
    (
        "attributes",
        MIX,
        "WITH c AS (SELECT attributes.x AS v FROM spans) SELECT upper(v) AS v FROM c WHERE upper(v) IS NOT NULL",
        None,
        ["ERR"],
    ),
    (
        "attributes",
        MIX,
        "SELECT lag(attributes.x) OVER (ORDER BY name) AS v FROM spans ORDER BY name LIMIT 3",
        None,
        [None, 1, "err"],
    ),
    (
        "attributes",
        MIX,
        (
            "SELECT upper(attributes.x) AS v, count(*) "
            "FROM spans GROUP BY attributes.x ORDER BY attributes.x LIMIT 5 OFFSET 4"
        ),
        None,
        ["ERR", None, None, None, None],
    ),
    # Each row keeps its own value.
    (
        "attributes",
        CHOICE,
        "SELECT coalesce(attributes.x, attributes.w) AS v FROM spans ORDER BY name",
        None,
        [1, "err", "w"],
    ),
    (
        "attributes",
        CHOICE,
        "SELECT CASE WHEN is_root THEN attributes.x ELSE attributes.w END AS v FROM spans ORDER BY name",
        None,
        [1, "err", None],
    ),
    (
        "attributes",
        CHOICE,
        "SELECT ifnull(attributes.x, 'none') AS v FROM spans ORDER BY name",
        None,
        [1, "err", "none"],
    ),
    (
        "attributes",
        CHOICE,
        "SELECT nullif(attributes.x, 'err') AS v FROM spans ORDER BY name",
        None,
        [1, None, None],
    ),
    (
        "attributes",
        CHOICE,
        "SELECT coalesce(attributes.no, metrics.nor, 0) + attributes.x AS v FROM spans ORDER BY name",
        None,
        [1, None, None],
    ),
    (
        "attributes",
        CHOICE,
        "SELECT name FROM spans WHERE attributes.x IN (1, 'err') ORDER BY 1",
        None,
        ["n0", "n1"],
    ),
    (
        "attributes",
        CHOICE,
        "SELECT CASE attributes.x WHEN 1 THEN 'ok' WHEN 'err' THEN 'bad' END AS v FROM spans ORDER BY name",
        None,
        ["ok", "bad", None],
    ),
    (
        "attributes",
        CHOICE,
        "SELECT string_agg(attributes.x, ',' ORDER BY name) AS v FROM spans",
        None,
        ["1,err"],
    ),
    (
        "attributes",
        CHOICE,
        "SELECT {'k': attributes.x} AS v FROM spans ORDER BY name",
        None,
        [{"k": 1}, {"k": "err"}, {"k": None}],
    ),
    (
        "attributes",
        CHOICE,
        "SELECT s.v.k AS v FROM (SELECT {'k': attributes.x} AS v, name FROM spans) s WHERE s.v.k = 'err'",
        None,
        ["err"],
    ),
    # Integers that no double holds.
    (
        "attributes",
        paths(x=[BIG, BIG - 1, 0.5]),
        "SELECT attributes.x AS v FROM spans ORDER BY attributes.x",
        None,
        [0.5, BIG - 1, BIG],
    ),
    (
        "attributes",
        paths(x=[BIG, BIG - 1, 0.5]),
        f"SELECT name FROM spans WHERE attributes.x = {BIG}",
        None,
        ["n0"],
    ),
    (
        "attributes",
        paths(x=[BIG, BIG - 1, 0.5]),
        "SELECT name FROM spans WHERE attributes.x = $x",
        {"x": BIG},
        ["n0"],
    ),
    (
        "attributes",
        paths(x=[BIG, BIG - 1, 0.5]),
        "SELECT attributes.x::VARCHAR AS v FROM spans WHERE attributes.x > 1 ORDER BY v",
        None,
        [str(BIG - 1), str(BIG)],
    ),
    (
        "attributes",
        paths(x=[BIG, BIG - 1, 0.5]),
        "SELECT count(DISTINCT attributes.x) AS v FROM spans",
        None,
        [3],
    ),
    # Items of lists.
    ("input", CALLS, "SELECT max(c.tokens) AS v FROM spans, unnest(input.calls) t(c)", None, [100]),
    (
        "input",
        CALLS,
        "SELECT c.tokens AS v FROM spans, unnest(input.calls) t(c) WHERE c.tokens > 9 ORDER BY v DESC",
        None,
        [100, 10],
    ),
    ("input", CALLS, "SELECT count(c) AS v FROM spans, unnest(input.calls) t(c)", None, [3]),
    (
        "input",
        CALLS,
        "SELECT c.role AS v, i FROM spans, unnest(input.calls) WITH ORDINALITY t(c, i) WHERE i = 1",
        None,
        ["user"] * 3,
    ),
    ("input", CALLS, "SELECT arg_max(name, input.calls[0].tokens) AS v FROM spans", None, ["n2"]),
    ("input", CALLS, "SELECT length(input.calls[0].role) AS v FROM spans LIMIT 1", None, [4]),
    (
        "input",
        CALLS,
        "SELECT array_to_string(list_transform(input.calls, c -> c.role), ' ') AS v FROM spans LIMIT 1",
        None,
        ["user"],
    ),
    (
        "input",
        CALLS,
        "SELECT len(list_filter(input.calls, c -> c.role = 'user')) AS v FROM spans LIMIT 1",
        None,
        [1],
    ),
    (
        "input",
        CALLS,
        "SELECT [c.tokens + 1 FOR c IN input.calls IF c IS NOT NULL] AS v FROM spans ORDER BY name",
        None,
        [[10], [11], [101]],
    ),
    (
        "attributes",
        LISTS,
        "SELECT list_contains(attributes.l, 'a') AS v FROM spans ORDER BY name",
        None,
        [True, False],
    ),
    (
        "attributes",
        LISTS,
        "SELECT list_contains(attributes.u, 'a') AS v FROM spans ORDER BY name",
        None,
        [True, False],
    ),
    (
        "attributes",
        LISTS,
        "SELECT list_sum(attributes.n) AS v FROM spans ORDER BY name",
        None,
        [0.5, 1.0],
    ),
    (
        "attributes",
        LISTS,
        "SELECT attributes.u || ['z'] AS v FROM spans ORDER BY name",
        None,
        [["a", "z"], [1, "z"]],
    ),
    (
        "attributes",
        LISTS,
        "SELECT attributes.u && ['a'] AS v FROM spans ORDER BY name",
        None,
        [True, False],
    ),
    (
        "attributes",
        LISTS,
        "SELECT attributes.u[attributes.i - 1] AS v FROM spans ORDER BY name",
        None,
        ["a", 1],
    ),
    (
        "attributes",
        LISTS,
        "SELECT attributes.l[attributes.i] AS v FROM spans ORDER BY name",
        None,
        [None, "b"],
    ),
    (
        "attributes",
        LISTS,
        "SELECT attributes.l[0:0] AS v FROM spans ORDER BY name",
        None,
        [["a"], ["b"]],
    ),
    # Objects.
    (
        "input",
        [{"q": "c"}, {"q": "a"}, {"q": "c"}],
        "SELECT input AS v, count(*) FROM spans GROUP BY input ORDER BY 2",
        None,
        [{"q": "a"}, {"q": "c"}],
    ),
    (
        "input",
        [{"q": "c"}, {"q": "a"}, {"q": "b"}],
        "SELECT input AS v FROM spans ORDER BY input",
        None,
        [{"q": "a"}, {"q": "b"}, {"q": "c"}],
    ),
    (
        "input",
        [{"q": "c"}, {"q": "a"}, {"q": "b"}],
        "SELECT input AS v FROM spans ORDER BY 1 LIMIT 1",
        None,
        [{"q": "a"}],
    ),
    (
        "input",
        [{"q": "c"}, {"q": "a"}, {"q": "b"}],
        "SELECT input AS v FROM spans ORDER BY ALL LIMIT 1",
        None,
        [{"q": "a"}],
    ),
    ("input", [{"q": "c"}], "SELECT input AS v FROM spans WHERE v IS NOT NULL", None, [{"q": "c"}]),
    (
        "input",
        [{"a": 1, "b": 1.0}, {"b": 1, "a": 1}],
        "SELECT count(DISTINCT input) AS v FROM spans",
        None,
        [1],
    ),
    # Times, and names.
    (
        "attributes",
        paths(due=["2026-09-22T00:00:00Z", "soon"]),
        "SELECT name FROM spans WHERE attributes.due >= $t",
        {"t": dt.datetime(2026, 9, 1, tzinfo=dt.UTC)},
        ["n0"],
    ),
    (
        "attributes",
        paths(due=["2026-09-22T00:00:00Z", "soon"]),
        "SELECT name FROM spans WHERE attributes.due >= now() - INTERVAL 100 YEAR",
        None,
        ["n0"],
    ),
    (
        "attributes",
        paths(due=["2026-09-22T00:00:00Z", "soon"]),
        "SELECT year(attributes.due) AS v FROM spans ORDER BY name",
        None,
        [2026, None],
    ),
    ("attributes", paths(select=[1]), "SELECT attributes.select AS v FROM spans", None, [1]),
    # Literals of two types beside one path, and what lists have in common.
    (
        "attributes",
        paths(x=[200, "err", 5]),
        "SELECT name FROM spans WHERE attributes.x IN (200, 'err') ORDER BY 1",
        None,
        ["n0", "n1"],
    ),
    (
        "attributes",
        paths(x=[200, "err", 5]),
        "SELECT CASE attributes.x WHEN 200 THEN 'ok' WHEN 'err' THEN 'bad' END AS v FROM spans ORDER BY name",
        None,
        ["ok", "bad", None],
    ),
    (
        "attributes",
        LISTS,
        "SELECT list_has_any(attributes.u, ['a']) AS v FROM spans ORDER BY name",
        None,
        [True, False],
    ),
    (
        "attributes",
        LISTS,
        "SELECT attributes.l && ['b'] AS v FROM spans ORDER BY name",
        None,
        [False, True],
    ),
    (
        "attributes",
        paths(n=[1, 2, 3]),
        "SELECT attributes.n AS v FROM spans WHERE attributes.n IN ($a,$b) ORDER BY 1",
        {"a": 1, "b": 3},
        [1, 3],
    ),
    (
        "attributes",
        paths(n=[1, 2]),
        "SELECT name FROM spans a SEMI JOIN spans b ON a.span_id = b.span_id ORDER BY a.name",
        None,
        ["n0", "n1"],
    ),
    (
        "attributes",
        [{"gen_ai.operation.name": "chat"}],
        "SELECT attributes->>'gen_ai.operation.name' AS v FROM spans",
        None,
        ["chat"],
    ),
]

ABSENT = [
    "list_contains(attributes.no, 'a')",
    "list_transform(attributes.no, e -> e)",
    "greatest(attributes.no, metrics.no)",
    "to_timestamp(attributes.no)",
    "date_trunc('day', attributes.no)",
    "start_time + attributes.no",
    "attributes.no & 1",
    "sin(attributes.no)",
    "attributes.no[0].deeper",
    "max(attributes.no) OVER ()",
    "attributes.no = 1",
    "attributes.no || 'a'",
    "nullif(attributes.no, 1)",
]


@pytest.mark.parametrize("state", STATES)
def test_an_answer_is_right_wherever_rows_lie(tmp_path: Path, state: str) -> None:
    wrong = []
    kept: dict[str, Store] = {}
    for column, values, sql, parameters, expected in CASES:
        name = repr((column, values))
        if name not in kept:
            rows = {"spans": spans(column, values)}
            kept[name] = build(tmp_path / str(len(kept)), state, rows, pieces=3)
        try:
            found = [next(iter(row.values())) for row in kept[name].sql(sql, parameters).rows()]
            if "AS x" in sql:
                found = [row["v"] for row in kept[name].sql(sql, parameters).rows()]
        except Exception as error:  # noqa: BLE001 - every case is told of at once
            found = [str(error)]
        if found != expected:
            wrong.append(f"{sql}\n  got  {found}\n  want {expected}")
    for store in kept.values():
        store.close()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("state", STATES)
def test_an_integer_among_other_types_keeps_its_digits(tmp_path: Path, state: str) -> None:
    powers = [
        base**n + more
        for base, last in ((2, 125), (10, 37))
        for n in range(last)
        for more in (-1, 0, 1)
    ]
    at_ns = [1_764_300_000_000_000_000 + i for i in range(257)]
    integers = sorted({sign * n for n in (*powers, *at_ns) for sign in (-1, 1)})
    values = [{"n": n, "l": [n, "x"]} for n in integers] + [{"n": "text", "l": [True]}]
    sql = (
        "SELECT attributes.n AS n, attributes.n::VARCHAR AS t, attributes.l[0] AS i, attributes.l[0]::VARCHAR AS u, "
        "[attributes.n] AS l FROM spans ORDER BY trace_id LIMIT ?"
    )
    with build(
        tmp_path / "store", state, {"spans": spans("attributes", values)}, pieces=3
    ) as store:
        found = [list(row.values()) for row in store.sql(sql, [len(integers)]).rows()]
    assert found == [[n, str(n), n, str(n), [n]] for n in integers]
    assert {type(row[0]) for row in found} == {int}


@pytest.mark.parametrize("expression", ABSENT)
def test_a_path_that_no_row_has_is_null_in_every_position(tmp_path: Path, expression: str) -> None:
    with build(
        tmp_path / "store", "memtable", {"spans": spans("attributes", [{"nu": 1}])}
    ) as store:
        result = store.sql(f"SELECT {expression} AS v FROM spans")
        assert result.rows() == [{"v": None}]
        assert any("no path" in warning for warning in result.warnings)
