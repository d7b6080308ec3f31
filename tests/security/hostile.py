"""Hostile texts, and every place of a statement's tree that holds text: found by reflection, so that new ones count."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlglot import exp

from sql import sqllogic
from tracestore.errors import QueryError
from tracestore_query.language import dialect

TEXTS = (
    "'",
    '"',
    "''",
    '""',
    "\\",
    "\\'",
    "'; DROP TABLE spans; --",
    "' OR '1' = '1",
    "x' UNION ALL SELECT 1 --",
    'x" UNION ALL SELECT 1 --',
    "+) 1), (SELECT getenv('PATH')) AS x, (1 OPERATOR(+",
    "INNER JOIN read_parquet('/**/*.parquet') a ON true INNER",
    "x FROM glob('/**') --",
    "x) FROM sqlite_master --",
    "1; SELECT 2",
    ";",
    "--",
    "/*",
    "*/",
    "/* */ 1 /*",
    "$$",
    "$x$ y $x$",
    "x\x00y",
    "x\ny",
    "x\r\ny",
    "\u2028",
    "\u00a0x",
    "\u200b",
    "\ufeff",
    "e'\\''",
    "U&'\\0027'",
    "{{x}}",
    "$1",
    "?",
    ":name",
    "@x",
    "#1",
    "x::VARIANT",
    "x AS y",
    "x, y",
    "(SELECT 1)",
    "read_text('/etc/passwd')",
    "current_setting('threads')",
    "query('SELECT 1')",
    "x => 1",
    "x := 1",
    "a.b.c",
    "*",
    "%s",
    "\u0430",
    "\u202e",
    "🙂",
    "x" * 300,
)
"""Texts that would be SQL, end a quote or hide something, were they written as they are."""

STATEMENTS = [
    record.sql
    for path in sorted((Path(__file__).parent.parent / "sql").glob("*.test"))
    for record in sqllogic.read(path)
    if record.error is None
]

_MORE = """
SELECT sum(a) OVER (PARTITION BY b ORDER BY c ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES)
SELECT a FROM t LEFT JOIN u USING (k) ASOF JOIN v ON t.x >= v.x SEMI JOIN w USING (b)
SELECT a::DECIMAL(10, 2), TRY_CAST(b AS STRUCT(x INT)), INTERVAL '1' DAY, EXTRACT(year FROM d), e'x', N'x', $$x$$
SELECT list_filter(l, lambda x: x > 1), {'k': 1}, MAP {'k': 1}, l[1:2], a -> '$."k"', TRIM(BOTH 'x' FROM a)
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT * EXCLUDE (a) REPLACE (b AS c) FROM t
SELECT $name, ?, quantile_cont(a, 0.5) FILTER (WHERE b), string_agg(a, ',' ORDER BY b DESC NULLS LAST)
SELECT * FROM (SELECT 1 AS a) PIVOT (sum(b) FOR a IN (1, 2)) LIMIT 5 OFFSET 2
SELECT * FROM t TABLESAMPLE reservoir(20 ROWS) WHERE a AT TIME ZONE 'UTC' LIKE 'x' ESCAPE 'y'
SELECT (1 OPERATOR('+') 2), a FROM x JOIN BY (TYPE 'inner') y ON true
SELECT struct_pack(a := 1), lower(s => 'x'), UNNEST([1]), (VALUES (1)), a IN (1, 2), a BETWEEN 1 AND 2
""".strip().splitlines()

MARK = "zq"
"""The harmless text that stands where a hostile one will: its tree says what was meant."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place for text in a tree: `put` writes a text there, `restore` what was there before."""

    name: str
    tree: exp.Expr
    put: Callable[[str], None]
    restore: Callable[[], None]


def places(rng: random.Random) -> Iterator[Place]:
    """Yields places without an end: of trees that the parser makes, and of nodes of every class there is."""
    parsed = [tree for tree in map(_parsed, (*STATEMENTS, *_MORE)) if tree is not None]
    classes = sorted(expressions(), key=lambda each: each.__name__)
    while True:
        if rng.random() < 0.6:
            yield from _written(rng.choice(parsed).copy(), rng)
        else:
            made = _made(rng.choice(classes), rng)
            if made is not None:
                yield made


def expressions() -> set[type[exp.Expr]]:
    """Returns every class of nodes that the parser's library has."""
    found: set[type[exp.Expr]] = set()
    waiting: list[type[Any]] = [exp.Expr]
    while waiting:
        for each in waiting.pop().__subclasses__():
            if each not in found:
                found.add(each)
                waiting.append(each)
    return {each for each in found if issubclass(each, exp.Expression)}


def _parsed(sql: str) -> exp.Expr | None:
    try:
        return dialect.parse(sql)
    except QueryError:
        return None


def _written(tree: exp.Expr, rng: random.Random) -> Iterator[Place]:
    """Yields every text of a tree that was parsed, and a field of one node that holds none."""
    nodes = list(tree.walk())
    for node in nodes:
        for field, value in list(node.args.items()):
            if isinstance(value, str):
                yield Place(f"{type(node).__name__}.{field}", tree, *_access(node, field))
        if isinstance(node, exp.Identifier) and rng.random() < 0.5:
            node.set("quoted", True)
            yield Place("Identifier.this (quoted)", tree, *_access(node, "this"))
    node = rng.choice(nodes)
    empty = [field for field in node.arg_types if not node.args.get(field)]
    if empty:
        field = rng.choice(sorted(empty))
        yield Place(f"{type(node).__name__}.{field} (new)", tree, *_access(node, field))


def _access(node: exp.Expr, field: str) -> tuple[Callable[[str], None], Callable[[], None]]:
    """Returns what writes a text to a field, and what writes back what it has now."""
    before = node.args.get(field)

    def put(text: object) -> None:
        node.args[field] = text

    return put, lambda: put(before)


def _made(kind: type[exp.Expr], rng: random.Random) -> Place | None:
    """Returns a place in a new node of a class, where a statement may hold it."""
    fields = sorted(kind.arg_types)
    if not fields:
        return None
    field = rng.choice(fields)
    node = kind()
    for other, required in kind.arg_types.items():
        if required and other != field:
            child: Any = exp.column(MARK)
            node.set(other, [child] if other == "expressions" else child)
    wrap = rng.choice((_as_text, _as_text, _as_identifier, _as_variable, _as_items))
    tree = rng.choice((_in_list, _in_condition, _in_from, _in_join, _in_cast))(node)
    return Place(
        f"{kind.__name__}.{field}{wrap.__name__}",
        tree,
        lambda text: wrap(node, field, text),
        lambda: None,
    )


def _as_text(node: exp.Expr, field: str, text: str) -> None:
    node.args[field] = text


def _as_identifier(node: exp.Expr, field: str, text: str) -> None:
    node.set(field, exp.Identifier(this=text, quoted=False))


def _as_variable(node: exp.Expr, field: str, text: str) -> None:
    node.set(field, exp.Var(this=text))


def _as_items(node: exp.Expr, field: str, text: str) -> None:
    node.args[field] = [text]


def _in_list(node: exp.Expr) -> exp.Expr:
    return exp.Select(
        expressions=[exp.alias_(node, "a") if isinstance(node, exp.Condition) else node]
    )


def _in_condition(node: exp.Expr) -> exp.Expr:
    return exp.select("a").from_("t").where(exp.Not(this=node), copy=False)


def _in_from(node: exp.Expr) -> exp.Expr:
    select = exp.select("a")
    select.set("from_", exp.From(this=node))
    return select


def _in_join(node: exp.Expr) -> exp.Expr:
    select = exp.select("a").from_("t")
    select.set("joins", [node if isinstance(node, exp.Join) else exp.Join(this=node)])
    return select


def _in_cast(node: exp.Expr) -> exp.Expr:
    return exp.Select(expressions=[exp.Cast(this=exp.Literal.number(1), to=node)])
