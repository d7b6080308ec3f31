"""Paths in every kind of place of a statement give what plain DuckDB gives of columns typed by the rule.

A statement is written once: `{name}` is a path to the store and a column to plain DuckDB; `{num:name}`, `{text:name}`
and `{bool:name}` are the values of one kind that a place takes of a path of several, and `{value:name}` a path of one
kind where its values stand beside others.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest

import tracestore
from data.stores import ndjson
from sql.statements import rows
from sql.statements.expression import Expression
from sql.statements.store import comparable, differing, same_rows
from sql.turns import in_turn
from tracestore import Store
from tracestore.errors import QueryError

SPANS: Final = 60
LOGS: Final = 24
PIECES: Final = 6

NAMES: Final = {
    "span_id": "sid",
    "start_time": "start",
    "time": "start",
    "duration_ns": "dur",
    "attributes.o.x": "ox",
    "attributes.o['y'].z": "oz",
    "attributes.gen_ai.model": "model",
    "attributes.objs[0].k": "k0",
    "attributes.objs[-1].w": "wl",
    "attributes.vals[1]": "v1",
    "attributes.strs[0]": "s0",
    "attributes.tool.call": "call",
    "attributes.tool.call.id": "call_id",
    "attributes.tool.call.args[0]": "call_arg",
    "input.q": "q",
    "scores.s": "score",
    "metadata.m": "meta",
}

ITEMS: Final = """
{mix}
{mix} IS DISTINCT FROM {two}
{mix} IS NOT DISTINCT FROM {mix}
{mix} = {two}
{mix} <> {two}
{two} = {value:str}
{num:two} > {int}
{text:two} > {str}
{num:two} BETWEEN {int} AND {dbl}
{num:two} NOT BETWEEN {int} AND {dbl}
{text:two} BETWEEN 'a' AND {str}
{num:mix} IN (1, 2, NULL)
{text:mix} NOT IN ('a', 'b')
{num:mix} IN (VALUES (1), (2.5))
{num:mix} = ANY (SELECT 1 UNION ALL SELECT 2)
{mix} = NULL
{bool:mix} AND {boo}
NOT {bool:mix}
{bool:mix} IS TRUE
{bool:mix} IS NOT FALSE
if({bool:mix}, 1, 2)
CASE WHEN {boo} THEN {mix} ELSE {two} END
CASE {num:two} WHEN 1 THEN 'one' WHEN 2 THEN 'two' ELSE 'more' END
CASE {text:two} WHEN 'a' THEN {int} END
CASE WHEN {num:mix} > 1 THEN {two} END
coalesce({raremix}, {late}, {two})
coalesce({value:never}, {mix})
coalesce({int}, {dbl}, 0)
greatest({mix}, {two})
least({mix}, {two}, {value:int})
greatest({int}, {dbl}, 1)
least({str}, {q}, 'm')
nullif({mix}, {two})
nullif({int}, {dbl})
{num:two} + {num:mix}
{num:two} - {int} * 2
{num:two} / 2
{int} // 2
{num:two} % 3
{num:two} ** 2
-{num:mix}
abs({num:two})
sign({num:mix})
round({dbl}, 1)
floor({num:num})
mod({int}, 3)
{int} & 3
{int} | 1
xor({int}, 1)
abs({int}) << 1
bit_count({int})
gcd({int}, 4)
exp({num:two})
isnan({dbl})
atan2({dbl}, {num:two})
upper({text:mix})
lower({text:two})
length({text:two})
reverse({text:mix})
substr({text:mix}, 2)
{str}[-1:]
left({text:two}, 1)
right({str}, 2)
repeat({text:two}, 2)
replace({text:mix}, 'a', {str})
split_part({text:two}, 'b', 1)
string_split({text:two}, 'a')
regexp_matches({text:mix}, '[a-b]')
regexp_replace({text:two}, '[ab]', 'x', 'g')
regexp_extract({text:two}, '([a-z])', 1)
regexp_extract_all({text:two}, '[a-z]')
{text:mix} LIKE '%a%'
{text:mix} ILIKE 'B%'
{text:two} NOT LIKE 'a_'
{text:two} SIMILAR TO '[a-z]+'
{text:two} ~ 'a'
{text:two} GLOB 'a*'
position({text:two} IN {str})
strpos({str}, {text:two})
contains({str}, 'a')
starts_with({text:two}, 'a')
{str} ^@ 'a'
ends_with({text:mix}, 'b')
lpad({text:two}, 4, '.')
trim({text:two}, 'a')
translate({text:two}, 'ab', 'xy')
ascii({text:mix})
md5({text:two})
levenshtein({text:two}, {str})
jaccard({str} || 'a', 'ab')
hamming('ab', 'cd')
printf('%s', {str})
format('{{}}-{{}}', {str}, {q})
concat_ws('-', {str}, {q})
{str} || {q}
bar({int}, 0, 6, 4)
to_hex({int})
hash({int}) = hash({int})
try_strptime({str}, '%Y')
list_sum({ints})
list_avg({ints})
list_min({ints})
list_aggregate({ints}, 'max')
list_contains({ints}, {int})
list_contains({strs}, {str})
list_contains({vals}, {two})
list_position({ints}, 2)
{int} = ANY({ints})
{two} = ANY({vals})
{int} > ALL({ints})
list_transform({ints}, lambda x: x + {int})
list_transform({vals}, lambda x: x)
list_transform({strs}, lambda x, i: x || i::VARCHAR)
list_filter({strs}, lambda x: x = {str})
list_filter({vals}, lambda x: x IS NOT NULL)
list_reduce(list_append({ints}, 1), lambda a, b: a + b)
[x * 2 FOR x IN {ints} IF x > 1]
[upper(x) FOR x IN {strs}]
list_sort({vals})
list_sort({strs}, 'DESC')
list_reverse_sort({vals})
list_sort(list_distinct({vals}))
list_unique({vals})
list_reverse({vals})
list_concat({ints}, [9])
{ints} || [9]
list_append({ints}, {int})
list_prepend({int}, {ints})
{ints} && [1, 2]
{ints} @> [1]
list_has_any({strs}, ['a', 'b'])
list_has_all({strs}, ['a'])
list_sort(list_intersect({ints}, [1, 2, 3]))
len(list_zip({ints}, {strs}))
flatten([{ints}, {ints}])
list_slice({strs}, 1, 2)
list_select({strs}, [1])
list_where({ints}, list_transform({ints}, lambda x: x > 1))
list_resize({ints}, 2, 0)
list_any_value({vals})
list_first({vals})
list_last({strs})
list_count({vals})
list_grade_up({ints})
array_length({vals})
len({strs})
array_to_string({strs}, ',')
range({call_id})
range(abs({call_id}))
[{two}, {mix}]
[{int}, {dbl}]
list_sort([{two}, {mix}, {value:int}])
list_max([{two}, {mix}])
list_contains([{mix}, {two}], {two})
list_position([{mix}, {two}], {two})
list_sort(list_distinct([{two}, {two}, {mix}]))
[{two}] = [{mix}]
[{two}, {two}] < [{mix}, {mix}]
{'a': {two}} = {'a': {mix}}
{'a': {int}}.a + 1
struct_extract({'a': {mix}}, 'a')
({int}, {str}) = ({call_id}, {q})
({int}, {str}) IN ((1, 'a'), (2, 'b'))
({num:two}, {str}) = (1, 'a')
({num:two}, {text:mix}) IN ((1, 'a'), (2, 'b'))
({num:two}, {int}) IN (SELECT 1, 2)
({two}, {value:int}) IN (SELECT l.{mix}, l.{two} FROM logs l)
({num:two}, {int}) IN (VALUES (1, 1), (2, 2))
({num:mix}, {int}) < (1, 2)
{'a': {num:two}, 'b': {int}} = {'a': 1, 'b': 1}
[{two}, {value:int}] = [{mix}, {value:int}]
(SELECT {mix})
(SELECT count(*) FROM logs l WHERE l.{two} = s.{two})
(SELECT max(l.{mix}) FROM logs l WHERE l.{int} = s.{int})
EXISTS (SELECT 1 FROM logs l WHERE l.{two} = s.{mix})
{two} IN (SELECT l.{mix} FROM logs l)
{two} NOT IN (SELECT l.{mix} FROM logs l WHERE l.{mix} IS NOT NULL)
{int} IN (SELECT l.{dbl} FROM logs l)
{value:int} IN (SELECT l.{mix} FROM logs l)
{int} > ALL([1, 2])
{num:two} > ALL([1, 2])
{text:mix} < ANY (['b'])
{two} = SOME({vals})
{num:two} >= ALL (SELECT l.{int} FROM logs l WHERE l.{int} > 2)
{two} = ANY (SELECT l.{two} FROM logs l)
array(SELECT l.{int} FROM logs l WHERE l.{int} = s.{int} ORDER BY 1)
TRY_CAST({when} AS TIMESTAMPTZ)
TRY_CAST({when} AS TIMESTAMPTZ) + INTERVAL 1 DAY
year(TRY_CAST({when} AS TIMESTAMPTZ))
date_diff('hour', {start}, TRY_CAST({when} AS TIMESTAMPTZ))
{start} < TRY_CAST({when} AS TIMESTAMPTZ)
date_trunc('hour', {start})
time_bucket(INTERVAL 7 MINUTE, {start})
epoch_ms({start}) + {int}
{start} + to_minutes(CAST({int} AS BIGINT))
strftime({start}, '%H')
TRY_CAST({str} AS INTEGER)
TRY_CAST({str} AS DOUBLE)
{call}
{call} = {mix}
{call_id} + 1
{call_arg}
{k0}
{wl} = {value:str}
{v1}
{input}
{input} = {call}
{tags}
{tags} || ['z']
list_contains({tags}, 't')
sum({num:two}) OVER (ORDER BY {sid})
sum({num:mix}) OVER (PARTITION BY {two} ORDER BY {sid} ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
count({mix}) OVER (ORDER BY {sid} ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW)
max({mix}) OVER (PARTITION BY {boo})
min({two}) OVER (ORDER BY {sid} ROWS 2 PRECEDING)
rank() OVER (ORDER BY {mix} DESC NULLS LAST)
dense_rank() OVER (ORDER BY {two})
percent_rank() OVER (ORDER BY {mix})
cume_dist() OVER (ORDER BY {two})
ntile(3) OVER (ORDER BY {mix}, {sid})
row_number() OVER (PARTITION BY {mix} ORDER BY {sid})
lag({mix}, 1, {two}) OVER (ORDER BY {sid})
lag({two}) OVER (PARTITION BY {boo} ORDER BY {sid})
lead({int}, 2, 0) OVER (ORDER BY {sid})
first_value({mix}) OVER (ORDER BY {sid})
first_value({mix} IGNORE NULLS) OVER (ORDER BY {sid})
last_value({two} IGNORE NULLS) OVER (ORDER BY {sid})
nth_value({two}, 3) OVER (ORDER BY {sid})
list({two}) OVER (ORDER BY {sid} ROWS 2 PRECEDING)
string_agg({str}, '|') OVER (ORDER BY {sid} ROWS 2 PRECEDING)
sum({num:num}) OVER w + rank() OVER w
sum({num:never}) OVER (ORDER BY {sid}) IS NULL
{num:never} + 1
{never} || 'a'
{num:never} IN (1, 2)
{never} IN ('a')
coalesce({never}, {never}) IS NULL
upper({never})
{value:never} = {mix}
greatest({num:never}, {int})
[{num:never}, {int}]
""".strip().splitlines()
"""Items of a select list over spans."""

OF_ALL: Final = """
count({mix}), count(DISTINCT {mix}), count(DISTINCT {two}), count(DISTINCT ({two}, {boo}))
max({mix}), min({mix}), max({two}), min({value:int})
max({mix}, 3), min({two}, 2)
arg_max({mix}, {sid}), arg_min({two}, {sid})
arg_max({mix}, {sid}, 2)
sum({num:two}), avg({num:mix}), sum(DISTINCT {num:two}), median({num:two})
stddev({num:two}), var_pop({int}), skewness({dbl}), corr({int}, {dbl})
quantile_cont({num:two}, 0.25), quantile_disc({int}, [0.25, 0.5])
product({num:two}), fsum({dbl}), bit_or({int}), bit_xor({int})
bool_and({bool:mix}), bool_or({boo}), count_if({boo}), count_if({num:two} > 1)
list({two} ORDER BY {sid}), list(DISTINCT {two} ORDER BY {two})
list({mix} ORDER BY {mix} DESC NULLS LAST, {sid})
list({two} ORDER BY {sid}) FILTER (WHERE {num:mix} > 1)
string_agg({str}, '|' ORDER BY {sid}), string_agg(DISTINCT {str}, ',' ORDER BY {str})
first({mix} ORDER BY {sid}), last({two} ORDER BY {sid})
sum({num:two}) FILTER (WHERE {bool:mix}), count(*) FILTER (WHERE {text:two} LIKE 'a%')
max({input}), count(DISTINCT {input}), min({call})
sum(len({ints})), max(list_sum({ints})), sum(list_sum({ints}))
sum({num:never}), max({never}), count({never}), list({never}) IS NULL
approx_count_distinct({boo}), entropy({boo}), cardinality(histogram({int}))
max(CASE WHEN {boo} THEN {mix} END), max(coalesce({two}, {mix}))
sum({num:two} * {int}) / count({int})
any_value({sid}) IS NOT NULL, geomean(abs({int}) + 1)
""".strip().splitlines()
"""Aggregates of all spans."""

STATEMENTS: Final = """
SELECT {two} AS k, count(*) AS n FROM spans s GROUP BY {two}
SELECT {mix} AS k, {boo} AS b, count(*) AS n, grouping({mix}) AS g FROM spans s GROUP BY CUBE ({mix}, {boo})
SELECT {two} AS k, max({mix}) AS m FROM spans s GROUP BY ROLLUP ({two}) HAVING count(*) > 1
SELECT {two} AS k, {boo} AS b, sum({num:mix}) AS v FROM spans s GROUP BY GROUPING SETS (({two}), ({boo}), ())
SELECT upper({text:str}) AS k, count(*) AS n FROM spans s GROUP BY 1 HAVING max({num:num}) > 0
SELECT {mix} AS k, list({sid} ORDER BY {sid}) AS l FROM spans s GROUP BY ALL
SELECT [{two}] AS k, count(*) AS n FROM spans s GROUP BY k
SELECT {'a': {two}} AS k, count(*) AS n FROM spans s GROUP BY k
SELECT CASE WHEN {boo} THEN {two} ELSE {mix} END AS k, count(*) AS n FROM spans s GROUP BY 1
SELECT {input} AS k, count(*) AS n FROM spans s GROUP BY {input}
SELECT {call} AS k, count({call_id}) AS n FROM spans s GROUP BY 1
SELECT DISTINCT {mix} AS v FROM spans s
SELECT DISTINCT {two} AS v, {boo} AS b FROM spans s
SELECT DISTINCT ON ({two}) {two} AS v, {sid} AS i FROM spans s ORDER BY {two}, {sid}
SELECT {sid} AS i FROM spans s QUALIFY row_number() OVER (PARTITION BY {two} ORDER BY {mix}, {sid}) = 1
SELECT unnest([{two}, {mix}]) AS v, {sid} AS i FROM spans s
SELECT unnest({vals}) AS v, unnest({ints}) AS w FROM spans s
SELECT u.x AS v, s.{sid} AS i FROM spans s, unnest(s.{vals}) u(x) WHERE u.x IS NOT NULL
SELECT u.x AS v, u.n AS n FROM spans s, unnest(s.{strs}) WITH ORDINALITY u(x, n)
SELECT max(u.x) AS v FROM spans s CROSS JOIN unnest(s.{vals}) u(x)
SELECT s.{sid} AS i, u.x + 1 AS v FROM spans s LEFT JOIN LATERAL (SELECT unnest(s.{ints}) AS x) u ON true
SELECT s.{sid} AS i, t.m FROM spans s, LATERAL (SELECT max(l.{two}) AS m FROM logs l WHERE l.{int} = s.{int}) t
SELECT count(*) AS n FROM spans s JOIN logs l ON s.{two} = l.{mix}
SELECT count(*) AS n FROM spans s JOIN logs l ON s.{num} = l.{int} AND s.{str} = l.{str}
SELECT s.{sid} AS i, l.{sid} AS j FROM spans s LEFT JOIN logs l ON s.{two} = l.{two} AND l.{num:mix} > 1
SELECT s.{sid} AS i, l.{sid} AS j FROM spans s FULL JOIN logs l ON s.{mix} = l.{mix}
SELECT s.{sid} AS i FROM spans s SEMI JOIN logs l ON s.{mix} = l.{mix}
SELECT s.{sid} AS i FROM spans s ANTI JOIN logs l ON s.{two} = l.{mix}
SELECT a.{sid} AS i, b.{sid} AS j FROM spans a JOIN spans b ON a.{input} = b.{input} AND a.{int} < b.{int}
SELECT s.{sid}, t.v FROM spans s ASOF JOIN (SELECT l.{start} AS at, l.{mix} AS v FROM logs l) t ON s.{start} >= t.at
WITH a AS (SELECT {two} AS v FROM spans s ORDER BY {sid}) SELECT * FROM a POSITIONAL JOIN range(9) b(i)
SELECT {two} AS v FROM spans s UNION SELECT l.{mix} FROM logs l
SELECT {two} AS v FROM spans s UNION ALL SELECT l.{value:int} FROM logs l
SELECT {value:int} AS v FROM spans s INTERSECT SELECT l.{mix} FROM logs l
SELECT {mix} AS v FROM spans s EXCEPT SELECT l.{two} FROM logs l
SELECT {mix} AS v FROM spans s EXCEPT ALL SELECT l.{two} FROM logs l
SELECT {int} AS v FROM spans s INTERSECT ALL SELECT l.{dbl} FROM logs l
SELECT {two} AS a, {int} AS b FROM spans s UNION BY NAME SELECT l.{int} AS b, l.{mix} AS a FROM logs l
(SELECT {two} AS v FROM spans s) UNION (SELECT {mix} FROM spans s EXCEPT SELECT l.{two} FROM logs l)
SELECT max(v) AS m FROM (SELECT {two} AS v FROM spans s UNION ALL SELECT l.{mix} FROM logs l)
SELECT v, count(*) AS n FROM (SELECT {mix} AS v FROM spans s) GROUP BY v
SELECT w FROM (SELECT v AS w FROM (SELECT {mix} AS v FROM spans s)) WHERE w IS NOT NULL
SELECT w.v AS v FROM (SELECT {two} AS v FROM spans s) w WHERE {num:w.v} > 1
WITH c AS (SELECT {mix} AS v, {sid} AS i FROM spans s) SELECT a.i, b.i AS j FROM c a JOIN c b ON a.v = b.v AND a.i < b.i
WITH c AS MATERIALIZED (SELECT {two} AS v FROM spans s) SELECT max(v) AS m, count(DISTINCT v) AS n FROM c
WITH RECURSIVE r(n) AS (SELECT min({int}) FROM spans s UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n FROM r
SELECT {mix} AS v, {sid} AS i FROM spans s ORDER BY {mix} DESC NULLS LAST, {sid} LIMIT 9
SELECT {mix} AS v, {sid} AS i FROM spans s ORDER BY v NULLS FIRST, i DESC LIMIT 9 OFFSET 3
SELECT {two} AS v, {int} AS n, {sid} AS i FROM spans s ORDER BY ALL LIMIT 20
SELECT {sid} AS i FROM spans s ORDER BY [{two}, {mix}], {sid} LIMIT 12
SELECT {sid} AS i FROM spans s ORDER BY {num:two} + 1 DESC NULLS LAST, {sid} LIMIT 7
SELECT {sid} AS i FROM spans s ORDER BY {input}, {sid} LIMIT 20
SELECT {sid} AS i FROM spans s ORDER BY {start} DESC LIMIT 5
SELECT {sid} AS i FROM spans s WHERE {start} >= TIMESTAMPTZ '2026-09-21 14:40:00+00' AND {two} IS NOT NULL
SELECT {sid} AS i FROM spans s WHERE {start} BETWEEN '2026-09-21 14:20:00Z' AND '2026-09-21 14:50:00Z' AND {num:mix} > 0
SELECT {sid} AS i FROM spans s WHERE {rare} > 0 OR {raremix} IS NOT NULL
SELECT {sid} AS i FROM spans s WHERE {rare} IS NULL AND {late} IS NOT NULL
SELECT {sid} AS i FROM spans s WHERE NOT ({num:two} > 1)
SELECT {sid} AS i FROM spans s WHERE ({num:two} > 1) IS NOT TRUE
SELECT {sid} AS i FROM spans s WHERE {text:str} LIKE '%b%' AND {boo}
SELECT {sid} AS i FROM spans s WHERE {num:mix} > (SELECT avg({int}) FROM spans t)
SELECT {sid} AS i FROM spans s WHERE {mix} = (SELECT max(t.{mix}) FROM spans t)
SELECT {sid} AS i FROM spans s WHERE {two} IN (SELECT l.{two} FROM logs l WHERE l.{int} = s.{int})
SELECT {sid} AS i FROM spans s WHERE NOT EXISTS (SELECT 1 FROM logs l WHERE l.{mix} = s.{mix})
SELECT {sid} AS i FROM spans s WHERE {int} IN $numbers
SELECT {sid} AS i FROM spans s WHERE {str} = ANY($texts)
SELECT {sid} AS i FROM spans s WHERE list_contains($texts, {text:two})
SELECT {sid} AS i FROM spans s WHERE {start} >= $moment AND {num:two} >= $number
SELECT {sid} AS i FROM spans s WHERE {ints} = $numbers
SELECT {score} AS v, {meta} AS m FROM spans s WHERE {score} IS NOT NULL
SELECT {meta} AS k, avg({score}) AS v FROM spans s GROUP BY 1
SELECT * FROM (SELECT {boo} AS b, {int} AS i FROM spans s) PIVOT (sum(i) FOR b IN (true, false))
SELECT * FROM (SELECT {name} AS n, {two} AS v, {sid} AS i FROM spans s) PIVOT (max(v) FOR n IN ('op-0') GROUP BY i)
SELECT name, value FROM (SELECT {int} AS a, {dbl} AS b FROM spans s) UNPIVOT (value FOR name IN (a, b))
SELECT count(*) AS n FROM (SELECT {two} AS v FROM spans s LIMIT 7)
SELECT sum(v) AS n FROM (SELECT {int} AS v FROM spans s ORDER BY {sid} LIMIT 50%)
SELECT {sid} AS i, x FROM spans s, range({call_id}) r(x)
SELECT {sid} AS i, w FROM spans s JOIN (VALUES (1, 'one'), (2, 'two')) v(n, w) ON {num:two} = v.n
SELECT {sid} AS i, w FROM spans s JOIN (VALUES ('a', 1), ('b', 2)) v(n, w) ON {text:mix} = v.n
SELECT {sid} AS i, w.x AS x FROM spans s JOIN (SELECT unnest([1, 2]) AS x) w ON {num:mix} = w.x
""".strip().splitlines()
"""Whole statements."""

PARAMETERS: Final[dict[str, Any]] = {
    "numbers": [1, 2],
    "texts": ["a", "b"],
    "moment": "2026-09-21T14:40:00Z",
    "number": 1,
}
STATES: Final = ("memory", "segment", "many", "patched", "folded", "mixed")

TURNS: Final = 2
"""Of so many one is asked in a state but the first, by default (`turns.py`): each in two or three of the five."""

TOGETHER: Final = 10
"""Items that one statement asks for; each alone where the statement is wrong."""

_NAME: Final = re.compile(r"(?:(\b\w+)\.)?\{(?:(num|text|bool|value):)?([a-z]\w*(?:\.\w+)?)\}")
_TAKEN: Final = {"num": "as_num", "text": "as_text", "bool": "as_bool"}


class Both:
    """A store in a state, and plain tables of the same rows.

    Attributes:
        state: where its rows lie.
        store, plain: both.
    """

    def __init__(self, folder: Path, state: str) -> None:
        chance = random.Random("positions")
        self.state = state
        self.rows = {
            table: [rows.new_row(chance, table, i, late=i > count // 2) for i in range(count)]
            for table, count in (("spans", SPANS), ("logs", LOGS))
        }
        self.store = tracestore.open(folder, background=False, durability="async")
        self._fill(state, chance)
        self.plain = duckdb.connect()
        self.plain.execute("SET TimeZone = 'UTC'")
        self.plain.execute(rows.MACROS)
        columns = rows.fill(self.plain, self.rows)
        self._columns = {table: _by_name(columns[table]) for table in columns}

    def _fill(self, state: str, chance: random.Random) -> None:
        pieces = 1 if state in {"memory", "segment"} else PIECES
        for table, every in self.rows.items():
            size = -(-len(every) // pieces)
            for start in range(0, len(every), size):
                self.store.insert(table, ndjson(every[start : start + size]))
                is_last = start + size >= len(every)
                if state != "memory" and not (state == "mixed" and is_last):
                    self.store.flush()
        if state in {"patched", "folded", "mixed"}:
            self._patch(chance)
        if state == "folded":
            self.store.compact(full=True)

    def _patch(self, chance: random.Random) -> None:
        for row in chance.sample(self.rows["spans"], 12):
            change: dict[str, Any] = {
                "scores": {"s": chance.choice([0.25, 1, 2])},
                "metadata": {"m": chance.choice(rows.WORDS)},
            }
            self.store.patch({key: row[key] for key in ("trace_id", "span_id")} | change)
            for name, values in change.items():
                row[name] = row.get(name, {}) | values

    def in_both(self, template: str) -> tuple[str, str]:
        """Returns a statement as the store takes it, and as plain DuckDB does."""
        ours = _NAME.sub(lambda found: self._column(found).ours, template)
        plain = _NAME.sub(lambda found: self._column(found).plain, template)
        return tuple(text.replace("{{", "{").replace("}}", "}") for text in (ours, plain))  # type: ignore[return-value]

    def _column(self, found: re.Match[str]) -> Expression:
        alias, taken, name = found.groups()
        if "." in name:
            column = Expression(name, name, "value")
        else:
            column = self._columns["logs" if alias == "l" else "spans"][name]
            column = column.within(alias) if alias else column
        if column.kind == "absent" and taken == "value":
            return Expression(column.ours, f"of_text({column.plain})", "value")
        if taken is not None and column.kind == "absent":
            return column.taken_as(taken)
        if taken == "value" and column.kind != "value":
            return column.taken_as("value")
        if taken in _TAKEN and column.kind == "value":
            return Expression(column.ours, f"{_TAKEN[taken]}({column.plain})", taken)
        return column

    def close(self) -> None:
        """Closes both."""
        self.store.close()
        self.plain.close()


def _by_name(columns: list[Expression]) -> dict[str, Expression]:
    found = {}
    for column in columns:
        name = NAMES.get(column.ours, column.ours.removeprefix("attributes."))
        found[name] = column
    return found


@pytest.fixture(scope="module", params=STATES)
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    made = Both(tmp_path_factory.mktemp("positions") / "store", request.param)
    yield made
    made.close()


def _fault(both: Both, template: str) -> str | None:
    """Returns what is wrong with the answer of a statement, None where nothing is."""
    ours, plain = both.in_both(template)
    named = {name: PARAMETERS[name] for name in re.findall(r"\$(\w+)", template)}
    want: list[list[Any]] | str
    try:
        answer = both.plain.execute(plain, named or None).fetchall()
        want = [comparable([rows.untagged(value) for value in row]) for row in answer]
    except duckdb.Error as error:
        want = str(error)
    got = _answer(both.store, ours, named)
    if isinstance(got, list) and isinstance(want, list):
        if same_rows(got, want, ordered="ORDER BY ALL" in template):
            return None
        got, want = differing(got, want)
    return f"{ours}\n{plain}\n  got  {got!r:.500}\n  want {want!r:.500}"


def _answer(store: Store, sql: str, named: dict[str, Any]) -> list[list[Any]] | str:
    try:
        return [comparable(list(row.values())) for row in store.sql(sql, named or None).rows()]
    except QueryError as error:
        return str(error)


def _told(faults: list[str | None]) -> str:
    found = [fault for fault in faults if fault is not None]
    return f"{len(found)} of {len(faults)}:\n" + "\n".join(found) if found else ""


@pytest.mark.parametrize(
    ("form", "items"),
    [
        (
            "SELECT {items}, s.{sid} AS i FROM spans s WINDOW w AS (PARTITION BY s.{boo} ORDER BY s.{sid})",
            ITEMS,
        ),
        ("SELECT {items} FROM spans s", OF_ALL),
    ],
    ids=["items", "aggregates"],
)
def test_a_path_is_a_column_in_every_item(both: Both, form: str, items: list[str]) -> None:
    faults: list[str | None] = []
    items = in_turn(items, both.state, STATES, TURNS)
    for start in range(0, len(items), TOGETHER):
        some = items[start : start + TOGETHER]
        fault = _fault(both, form.replace("{items}", ", ".join(some)))
        if fault is not None:
            alone = [_fault(both, form.replace("{items}", item)) for item in some]
            faults += alone if any(alone) else [fault]
    assert not (told := _told(faults)), told


def test_a_path_is_a_column_in_every_statement(both: Both) -> None:
    templates = in_turn(STATEMENTS, both.state, STATES, TURNS)
    assert not (told := _told([_fault(both, template) for template in templates])), told
