"""Queries that are drawn for pages, and the rows that they are asked about: ties, mixed values and repeated rows."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from data.stores import START_NS

SPANS = 46
LOGS = 22

_MIXED: tuple[Any, ...] = (
    1,
    1.0,
    "1",
    True,
    None,
    [1, 2],
    {"a": 1},
    2**53 + 1,
    -0.5,
    "x",
    {"b": [1]},
    [],
)


def spans() -> list[dict[str, Any]]:
    """Returns spans of few names and times, and with values of every kind under one path."""
    rows: list[dict[str, Any]] = []
    for i in range(SPANS):
        row: dict[str, Any] = {
            "project": ("p", "q")[i % 5 == 0],
            "trace_id": f"{i // 3 + 1:032x}",
            "span_id": f"{i + 1:016x}",
            "name": f"n{i % 4}",
            "kind": ("CLIENT", "SERVER")[i % 2],
            "start_ns": START_NS + (i % 6) * 1_000_000_000 + (i % 2),
            "duration_ns": (i % 5) * 1000,
            "input": {"q": i % 3} if i % 4 else "text",
            "tags": ["a", "b", "c"][: i % 4],
            "metadata": {
                "m": _MIXED[i % len(_MIXED)],
                "o": {"k": i % 2},
                "n": i % 3,
                "f": (i % 7) / 3,
            },
            "scores": {"s": (i % 4) / 3} if i % 3 else {},
        }
        if i % 3:
            row["parent_span_id"] = f"{i // 3 * 3 + 1:016x}"
        if i % 6 == 0:
            row["experiment"] = "e"
        rows.append(row)
    return rows


def logs() -> list[dict[str, Any]]:
    """Returns records some of which are alike in everything."""
    bodies = ("text", {"a": 1}, 7, 7.0, ["x"], "text")
    return [
        {
            "project": "p",
            "time_ns": START_NS + (i % 3) * 1_000_000_000,
            "body": bodies[i % len(bodies)],
            "attributes": {"level": i % 2},
        }
        for i in range(LOGS)
    ]


@dataclass(frozen=True)
class Drawn:
    """A drawn query.

    Attributes:
        sql: its text, without LIMIT.
        by_rows: whether each row of its answer comes from one span and keeps its key whatever else arrives.
        is_free: whether it leaves a choice to the engine: two right answers may differ.
    """

    sql: str
    by_rows: bool = False
    is_free: bool = False


_SCALARS = (
    *("name", "kind", "project", "start_time", "start_ns", "duration", "duration_ns", "trace_id"),
    *("is_root", "metadata.n", "metadata.f", "scores.s", "duration_ns % 3", "lower(name)"),
    *(
        "parent_span_id IS NULL",
        "metadata.n IS DISTINCT FROM 1",
        "coalesce(scores.s, 9)",
        "len(name)",
    ),
    *(
        "metadata.n > 1",
        "start_time::DATE",
        "duration_ns / 7.0",
        "name || kind",
        "now() > start_time",
    ),
)
_OPEN = ("metadata.m", "metadata.o", "metadata", "input", "tags", "metadata.none", "input.q")
_AGGREGATES = (
    *("count(*)", "sum(duration_ns)", "avg(metadata.f)", "max(start_time)", "min(metadata.m)"),
    *("any_value(span_id)", "list(span_id)", "string_agg(name, ',')", "count(DISTINCT name)"),
    *(
        "arg_max(span_id, duration_ns)",
        "first(name)",
        "stddev(metadata.f)",
        "mode(kind)",
        "sum(scores.s)",
    ),
    *(
        "max(duration_ns) FILTER (WHERE is_root)",
        "median(metadata.f)",
        "quantile_cont(duration_ns, 0.3)",
    ),
)
_FREE_AGGREGATES = ("any_value(span_id)", "list(", "string_agg", "arg_max", "first(", "mode(")
_WINDOWS = (
    "count(*) OVER (PARTITION BY name)",
    "row_number() OVER (PARTITION BY kind ORDER BY start_time)",
    "row_number() OVER (ORDER BY name)",
    "rank() OVER (ORDER BY duration_ns)",
    "lag(span_id) OVER (PARTITION BY name ORDER BY start_ns)",
    "sum(duration_ns) OVER (ORDER BY start_time)",
    "sum(metadata.f) OVER (PARTITION BY kind)",
    "avg(metadata.f) OVER (ORDER BY name ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)",
    "first_value(span_id) OVER (PARTITION BY name ORDER BY kind)",
    "last_value(span_id) OVER (PARTITION BY name ORDER BY kind)",
    "ntile(4) OVER w",
)
_WHERE = (
    *(
        "is_root",
        "name <> 'n1'",
        "duration_ns >= 1000",
        "metadata.n = 1",
        "metadata.m = 1",
        "len(tags) > 1",
    ),
    *("input.q IS NOT NULL", "start_time <= now()", "kind = 'CLIENT' OR name = 'n3'"),
    "trace_id IN (SELECT trace_id FROM spans WHERE name = 'n2')",
    "duration_ns > (SELECT avg(duration_ns) FROM spans)",
    "EXISTS (SELECT 1 FROM spans AS o WHERE o.parent_span_id = s.span_id)",
)
_CHANCE = ("random()", "uuid()", "current_time", "age(start_time)")


class Drawer:
    """The drawer of queries, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)

    def query(self) -> Drawn:
        """Returns the next query."""
        kinds = (
            *(self._rows, self._rows, self._rows, self._grouped, self._grouped, self._windowed),
            *(
                self._distinct,
                self._distinct_on,
                self._joined,
                self._unnested,
                self._nested,
                self._union,
            ),
            *(self._traces, self._logs, self._star, self._inner_limit, self._common, self._odd),
        )
        return self._draw.choice(kinds)()

    def _one(self, *choices: str) -> str:
        return self._draw.choice(choices)

    def _some(self, choices: tuple[str, ...], least: int = 1, most: int = 3) -> list[str]:
        return self._draw.sample(choices, self._draw.randint(least, min(most, len(choices))))

    def _order(self, keys: list[str]) -> str:
        ordered = [
            key
            + self._one("", "", " DESC", " ASC")
            + self._one("", "", " NULLS FIRST", " NULLS LAST")
            for key in keys
        ]
        return f" ORDER BY {', '.join(ordered)}"

    def _where(self) -> str:
        return f" WHERE {self._one(*_WHERE)}" if self._draw.random() < 0.4 else ""

    def _list(self, items: list[str]) -> tuple[str, list[str]]:
        """Returns a select list, and what ORDER BY may call its items."""
        named = [
            f"{item} AS c{i}" if self._draw.random() < 0.6 else item for i, item in enumerate(items)
        ]
        keys = [
            self._one(f"c{i}" if named[i] != item else item, str(i + 1))
            for i, item in enumerate(items)
        ]
        return ", ".join(named), keys

    def _rows(self) -> Drawn:
        items, keys = self._list(self._some(_SCALARS + _OPEN, 1, 4))
        also = self._some(_SCALARS + _OPEN, 1, 2)
        order = self._some(tuple(dict.fromkeys([*keys, *also])), 1, 3)
        return Drawn(
            f"SELECT {items} FROM spans AS s{self._where()}{self._order(order)}", by_rows=True
        )

    def _grouped(self) -> Drawn:
        groups = self._some(_SCALARS[:-1] + _OPEN[:2], 1, 2)
        values = self._some(_AGGREGATES, 1, 3)
        items, keys = self._list([*groups, *values])
        by = self._one("ALL", ", ".join(str(i + 1) for i in range(len(groups))))
        if self._draw.random() < 0.3 and all(
            "m." not in each and "." not in each for each in groups
        ):
            sets = self._one("ROLLUP", "CUBE")
            by = f"{sets} ({', '.join(groups)})"
        having = self._one("", "", " HAVING count(*) > 2")
        order = self._some(tuple(keys), 1, 2)
        free = any(each.startswith(_FREE_AGGREGATES) for each in values)
        sql = f"SELECT {items} FROM spans AS s{self._where()} GROUP BY {by}{having}{self._order(order)}"
        return Drawn(sql, is_free=free)

    def _windowed(self) -> Drawn:
        window = self._one(*_WINDOWS)
        items, keys = self._list([*self._some(_SCALARS, 1, 2), window])
        named = " WINDOW w AS (PARTITION BY kind ORDER BY name)" if window.endswith(" w") else ""
        qualify = ""
        if self._draw.random() < 0.3:
            qualify = " QUALIFY row_number() OVER (PARTITION BY name ORDER BY start_time) <= 3"
        order = self._order(self._some(tuple(keys), 1, 2))
        return Drawn(
            f"SELECT {items} FROM spans AS s{self._where()}{named}{qualify}{order}", is_free=True
        )

    def _distinct(self) -> Drawn:
        items, keys = self._list(self._some(_SCALARS + _OPEN[:2], 1, 3))
        return Drawn(
            f"SELECT DISTINCT {items} FROM spans AS s{self._where()}{self._order(self._some(tuple(keys), 1, 2))}"
        )

    def _distinct_on(self) -> Drawn:
        key = self._one("name", "kind", "metadata.n")
        items, _ = self._list([key, *self._some(_SCALARS, 1, 2)])
        order = self._order([key, *self._some(_SCALARS, 0, 1)])
        return Drawn(f"SELECT DISTINCT ON ({key}) {items} FROM spans AS s{order}", is_free=True)

    def _joined(self) -> Drawn:
        join = self._one("JOIN", "LEFT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN")
        one_side = join in {"SEMI JOIN", "ANTI JOIN"}
        right = "s.kind" if one_side else self._one("b.name", "b.metadata.m", "b.input")
        order = self._order(self._some(("s.name", "s.start_time", right, "1"), 1, 2))
        sql = (
            f"SELECT s.name, s.duration_ns, {right} AS r FROM spans AS s {join} spans AS b "
            f"ON s.span_id = b.parent_span_id{order}"
        )
        return Drawn(sql)

    def _unnested(self) -> Drawn:
        form = self._one(
            "SELECT span_id, unnest(tags) AS t FROM spans AS s",
            "SELECT name, unnest(tags) AS t FROM spans AS s",
            "SELECT s.name, u.t FROM spans AS s, unnest(s.tags) AS u(t)",
            "SELECT r AS t, name FROM spans AS s, range(3) AS g(r)",
        )
        return Drawn(form + self._order(self._some(("t", "name", "start_time"), 1, 2)))

    def _nested(self) -> Drawn:
        inner = self._one(
            "SELECT name, kind, duration_ns, metadata FROM spans",
            "SELECT * FROM spans",
            "SELECT name, kind, duration_ns, metadata FROM spans WHERE is_root",
        )
        items, keys = self._list(
            self._some(("name", "kind", "duration_ns", "metadata.m", "metadata"), 1, 3)
        )
        return Drawn(
            f"SELECT {items} FROM ({inner}) AS d{self._order(self._some((*keys, 'name'), 1, 2))}"
        )

    def _union(self) -> Drawn:
        word = self._one("UNION", "UNION ALL", "EXCEPT", "INTERSECT")
        order = self._order(self._some(("n", "k", "1"), 1, 2))
        return Drawn(
            f"SELECT name AS n, kind AS k FROM spans WHERE is_root {word} SELECT name, kind FROM spans{order}"
        )

    def _traces(self) -> Drawn:
        columns = ("name", "duration", "span_count", "start_time", "project", "error_count")
        items, keys = self._list(self._some(columns, 1, 3))
        return Drawn(
            f"SELECT {items} FROM traces{self._order(self._some(tuple(keys), 1, 2))}", is_free=True
        )

    def _logs(self) -> Drawn:
        items, keys = self._list(
            self._some(("body", "time", "attributes", "attributes.level", "body.a"), 1, 3)
        )
        return Drawn(f"SELECT {items} FROM logs{self._order(self._some((*keys, 'time'), 1, 2))}")

    def _star(self) -> Drawn:
        table, key = self._draw.choice(
            [
                ("spans", "start_time"),
                ("logs", "time"),
                ("logs", "body"),
                ("spans", "metadata.m"),
                ("spans", "2"),
            ]
        )
        what = self._one("*", "* EXCLUDE (project)", "*, 1 AS one")
        return Drawn(f"SELECT {what} FROM {table}{self._order([key])}")

    def _inner_limit(self) -> Drawn:
        inner = self._one(
            "SELECT span_id, name FROM spans ORDER BY name LIMIT 20",
            "SELECT name, kind FROM spans LIMIT 20",
            "SELECT * FROM spans ORDER BY start_time DESC LIMIT 15",
            "SELECT DISTINCT name, kind FROM spans ORDER BY name LIMIT 3",
        )
        window = self._one("", ", row_number() OVER (ORDER BY d.name) AS i")
        order = self._order([self._one("name", "1")])
        return Drawn(f"SELECT d.name{window} FROM ({inner}) AS d{order}", is_free=True)

    def _common(self) -> Drawn:
        inner = f"SELECT name AS n, {self._one(*_AGGREGATES)} AS v, count(*) AS c FROM spans GROUP BY name"
        extra = self._one(
            "", ", row_number() OVER (ORDER BY c) AS i", ", (SELECT max(c) FROM g) AS m"
        )
        order = self._order(self._some(("n", "c", "v"), 1, 2))
        return Drawn(f"WITH g AS ({inner}) SELECT n, v, c{extra} FROM g{order}", is_free=True)

    def _odd(self) -> Drawn:
        form = self._one(
            f"SELECT span_id, {self._one(*_CHANCE)} AS x FROM spans ORDER BY x",
            f"SELECT span_id FROM spans WHERE {self._one('random() < 0.5', 'len(uuid()::VARCHAR) > 1')} ORDER BY name",
            "SELECT span_id FROM spans USING SAMPLE 5 ROWS ORDER BY span_id",
            "SELECT json_group_array(name) AS j, kind FROM spans GROUP BY kind ORDER BY kind",
            "SELECT span_id, lag(name) OVER (ORDER BY kind RANGE UNBOUNDED PRECEDING) AS l FROM spans ORDER BY l",
            "SELECT s.span_id FROM spans AS s ASOF JOIN logs AS l ON s.start_time >= l.time ORDER BY s.name",
            "SELECT name FROM spans",
            "SELECT span_id FROM experiment('e') ORDER BY name",
            "SELECT name, count(*) AS c FROM spans GROUP BY GROUPING SETS ((name), ()) ORDER BY c",
            "SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (1, 'a'), (3, NULL)) AS v(x, y) ORDER BY x",
            "SELECT name, duration_ns * INTERVAL 1 MICROSECOND AS d FROM spans ORDER BY d",
            "SELECT {'a': name, 'b': kind} AS st, [duration_ns] AS li FROM spans ORDER BY li, st",
            "SELECT DISTINCT name FROM spans ORDER BY lower(name) DESC",
            "SELECT -0.0 AS z, name FROM spans UNION ALL SELECT 0.0, name FROM spans ORDER BY z",
            "SELECT name, name FROM spans ORDER BY 2",
            "SELECT name AS a, kind AS A FROM spans ORDER BY 1",
            "(SELECT name, kind FROM spans ORDER BY kind)",
            "SELECT project, name FROM experiments ORDER BY name",
        )
        return Drawn(form, is_free=True)
