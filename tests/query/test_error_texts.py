"""What cannot be answered says so in the words of who asked: no names of ours, of files, or of the engine's insides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from data.stores import STATES, build, span
from tracestore import Store
from tracestore.errors import QueryError
from tracestore_query.language.allowed_functions import ENGINE, FAMILIES, JSON, SYNTAX
from tracestore_query.tables.names import STORED

ROWS: list[dict[str, Any]] = [
    {"attributes": {"x": 1, "n": 7, "t": "a text", "l": [1, "a"], "o": {"k": 1}, "nums": [1, 2]}},
    {"attributes": {"x": "err", "n": 2**62, "t": "(", "l": [{"r": 1}], "o": {"k": "v"}}},
    {"attributes": {"x": True, "n": 2**62, "t": "2026", "l": []}, "input": [{"role": "user"}]},
    {"attributes": {"x": [1], "n": 2**62}, "input": {"q": 1}},
    {"attributes": {"x": {"y": 1}}, "input": "text"},
]
"""Paths of one type and of several, lists of several types, objects, and sums that no integer holds."""

OF_ROWS = """
sum(attributes)
attributes + 1
attributes.x.y.z + [1]
sum(attributes.l)
attributes.o::INTEGER[]
name::INTEGER
attributes.n / 'a'
max(count(*))
list_sum(attributes.x)
list_sum(attributes.l)
struct_extract(attributes, 'x')
struct_extract({'a': attributes.x}, 'b')
attributes.o.*
unnest(attributes.x)
unnest(attributes.t)
unnest(name)
(SELECT attributes.x FROM spans)
(SELECT attributes.x, name FROM spans LIMIT 1)
attributes.x IN (SELECT name, kind FROM spans)
attributes.l[name]
attributes.l['a':'b']
attributes.l[attributes.o]
x.attributes
attributes.x COLLATE nosuch
date_trunc('nosuch', start_time)
date_trunc(attributes.t, start_time)
time_bucket(attributes.x, attributes.n)
time_bucket(INTERVAL 0 DAY, start_time)
regexp_matches(attributes.t, '(')
regexp_matches('a', attributes.t)
json_extract(attributes, '$[')
json_extract(attributes, attributes.t)
json_extract_string(attributes.x, ['$.', '$['])
try_strptime(attributes.t, '%Q')
cast(attributes.x AS nosuchtype)
attributes.x::ENUM('a')
attributes.x::STRUCT(a INTEGER, a INTEGER)
list_transform(attributes.l, (a, b, c, d) -> 1)
list_transform(attributes.l, 1)
list_transform(attributes.l, i -> nosuch)
list_transform(name, i -> i)
list_filter(attributes.l, i -> [i])
list_reduce(attributes.l, (a, b) -> a || b)
list_reduce([], (a, b) -> a + b)
list_aggregate(attributes.l, 'nosuch')
list_aggregate(attributes.l, 'sum')
list_sort(attributes.l, 'nosuch')
list_zip(attributes.l, attributes.x, 1)
array_cosine_distance(attributes.nums, attributes.l)
attributes.nums::FLOAT[3]
quantile_cont(attributes.x, 2)
quantile_cont(attributes.n, attributes.n)
quantile_cont(attributes.t, 0.5)
approx_quantile(attributes.o, 0.5)
ntile(0) OVER (ORDER BY attributes.x)
ntile(attributes.t) OVER (ORDER BY attributes.x)
sum(attributes.n) OVER (ORDER BY attributes.x RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING)
sum(attributes.n) OVER (ORDER BY attributes.t ROWS BETWEEN attributes.x PRECEDING AND CURRENT ROW)
lag(attributes.x, 'a') OVER (ORDER BY name)
lag(attributes.x, 1, start_time) OVER (ORDER BY name)
rank() OVER (PARTITION BY sum(attributes.n))
nosuch() OVER ()
map([attributes.x], [1, 2])
map([attributes.x, attributes.x], [1, 2])
map {'a': attributes.x}['b'].c
repeat(attributes.t, 100000000000)
format('{} {}', attributes.x)
format('{:d}', attributes.t)
format(attributes.t, 1)
printf('%d', attributes.t)
make_date(attributes.n, 99, 99)
make_timestamp(attributes.n * 9)
factorial(100)
9223372036854775807 + attributes.n
attributes.n * attributes.n
sum(attributes.n) + 9223372036854775807
sum(attributes.n)::INTEGER
chr((attributes.n / 1000)::INTEGER)
sqrt(-1 - attributes.n)
ln(attributes.n - 7)
attributes.n % 0
attributes.n << 99
attributes.n << -1
-(-9223372036854775808)
any_value(attributes.x ORDER BY nosuch)
list(DISTINCT attributes.x ORDER BY name)
string_agg(DISTINCT attributes.t, attributes.x)
mode(attributes.o) FILTER (attributes.n)
count(*) FILTER (WHERE sum(attributes.n) > 1)
grouping(attributes.x)
attributes.x BETWEEN attributes.l AND attributes.o
greatest(attributes.x, start_time)
greatest(start_time, [1])
coalesce(attributes.x, start_time, [1])
coalesce(name, 1, [1])
CASE attributes.x WHEN [1] THEN start_time ELSE 1 END
attributes.t < INTERVAL 1 DAY
attributes.t::TIMESTAMPTZ AT TIME ZONE 'No/Where'
start_time AT TIME ZONE attributes.t
start_time - attributes.t
start_time + attributes.l
json_transform(attributes, '{"a": "NOSUCH"}')
json_transform(attributes, attributes.t)
from_json(attributes, 'x')
json_merge_patch(attributes.x, 'x')
json_object('a')
json_object(attributes.x, 1)
to_base(attributes.n, 99)
to_base(-1, 2)
attributes.t::UUID
uuid_extract_version(attributes.t)
from_hex(attributes.t)
from_base64(attributes.t)
decode(attributes.t::BLOB)
bit_and(attributes.x)
bitstring(attributes.t, 1)
get_bit(attributes.t::BIT, 99)
hamming(attributes.t, 'a')
array_value(attributes.x)
element_at(attributes.x, 1)
row(attributes.x).nosuch
{'a': attributes.x}.b
{'a': attributes.x, 'a': 1}
[attributes.x][attributes.t]
[attributes.x, start_time, [1]]
attributes.x.0
spans
spans.nosuch
"__leaf0"
"__row_id"
__scan_0.name
name.first.second
nosuch(attributes.x)
substr(attributes.t)
upper(attributes.t, attributes.x)
upper(start_time, [attributes.x])
arg_max(attributes.x)
arg_max(attributes.x, attributes.t, 0)
min(attributes.x, 0)
min(attributes.x, attributes.n)
histogram(attributes.x, [attributes.n])
equi_width_bins(attributes.n, 1, 0, true)
width_bucket(1, 2, 3, 4)
error(attributes.t)
TRY(attributes.t::INTEGER)
x -> x + 1
$nothing
?
""".strip().splitlines()
"""Items of a select list over spans."""

STATEMENTS = [
    "SELECT attributes.x FROM spans GROUP BY name",
    "SELECT attributes.x, count(*) FROM spans",
    "SELECT upper(attributes.t) FROM spans GROUP BY lower(attributes.t)",
    "SELECT input, name FROM spans GROUP BY name",
    "SELECT input.q FROM spans GROUP BY input.role",
    "SELECT name FROM spans WHERE sum(attributes.n) > 1",
    "SELECT name FROM spans WHERE rank() OVER () > 1",
    "SELECT name FROM spans WHERE unnest(attributes.l) > 1",
    "SELECT name FROM spans HAVING attributes.x > 1",
    "SELECT name FROM spans QUALIFY attributes.x",
    "SELECT * FROM spans UNION SELECT name FROM spans",
    "SELECT attributes.x FROM spans UNION SELECT name, 1 FROM spans",
    "SELECT attributes.x FROM spans UNION BY NAME SELECT start_time AS x FROM spans",
    "SELECT attributes.x FROM spans UNION SELECT start_time FROM spans",
    "SELECT attributes.x FROM spans EXCEPT SELECT [start_time] FROM spans",
    "SELECT a FROM spans t(a)",
    "SELECT a, b FROM (SELECT attributes.x FROM spans) t(a, b)",
    "SELECT * FROM spans LIMIT attributes.n",
    "SELECT * FROM spans LIMIT -1",
    "SELECT * FROM spans LIMIT 'a'",
    "SELECT * FROM spans ORDER BY 99",
    "SELECT * FROM spans ORDER BY nosuch",
    "SELECT DISTINCT name FROM spans ORDER BY attributes.x",
    "SELECT DISTINCT ON (nosuch) name FROM spans",
    "SELECT 1 FROM spans GROUP BY 99",
    "SELECT 1 FROM spans GROUP BY ROLLUP (nosuch)",
    "WITH RECURSIVE r AS (SELECT attributes.x AS v FROM spans UNION ALL SELECT v || [1] FROM r) SELECT v FROM r",
    "WITH RECURSIVE r AS (SELECT attributes.x AS v FROM spans UNION ALL SELECT nosuch FROM r) SELECT v FROM r",
    "WITH c(a, b) AS (SELECT attributes.x FROM spans) SELECT a FROM c",
    "WITH c AS (SELECT attributes.x FROM spans), c AS (SELECT 1) SELECT * FROM c",
    "PIVOT spans ON attributes.x USING sum(attributes.t)",
    "PIVOT spans ON attributes.x USING nosuch(name)",
    "PIVOT spans ON nosuch USING count(*)",
    "UNPIVOT spans ON attributes, name",
    "UNPIVOT (SELECT attributes.x AS x, start_time FROM spans) ON x, start_time",
    "SELECT COLUMNS('nosuch') FROM spans",
    "SELECT COLUMNS('(') FROM spans",
    "SELECT * EXCLUDE (nosuch) FROM spans",
    "SELECT * EXCLUDE (name, name) FROM spans",
    "SELECT * REPLACE (1 AS nosuch) FROM spans",
    "SELECT * RENAME (nosuch AS a) FROM spans",
    "SELECT * FROM spans a ASOF JOIN spans b ON a.attributes.x = b.attributes.x",
    "SELECT * FROM spans a ASOF JOIN spans b USING (attributes, nosuch)",
    "SELECT 1 FROM spans a POSITIONAL JOIN spans b ON true",
    "SELECT input + 1 FROM spans a JOIN spans b USING (input)",
    "SELECT 1 FROM spans a JOIN spans b ON a.nosuch = b.attributes.x",
    "SELECT 1 FROM spans a JOIN spans b ON sum(a.attributes.x) = 1",
    "SELECT 1 FROM spans a, LATERAL (SELECT a.nosuch) l",
    "SELECT * FROM unnest(attributes.l)",
    "SELECT * FROM range(attributes.n)",
    "SELECT * FROM spans, range(attributes.t) r",
    "SELECT * FROM spans, unnest(name) r",
    "SELECT s.attributes FROM (SELECT 1) s",
    "SELECT s.x.y FROM (SELECT name AS x FROM spans) s",
    "SELECT s.x.y FROM (SELECT start_time AS x FROM spans) s",
    "SELECT * FROM experiment('nosuch')",
    "SELECT * FROM dataset('nosuch')",
    "SELECT * FROM dataset(attributes.x)",
    "SELECT * FROM compare('a', 'b')",
    "SELECT * FROM __scan_0_memory",
    "SELECT * FROM 'segment.parquet'",
    "SELECT * FROM read_parquet('segment.parquet')",
    "SELECT * FROM spans.attributes",
    "SELECT * FROM nosuch.spans",
    "SELECT EXISTS (SELECT attributes.x, FROM spans)",
    "SELECT attributes.x = ANY (SELECT name, kind FROM spans) FROM spans",
    "SELECT attributes.x = ANY (attributes.n) FROM spans",
    "SELECT attributes.x > ALL (name) FROM spans",
    "VALUES (1, 2), (3)",
    "SELECT * FROM (VALUES (1, 'a'), ('b', [2])) v(a, b)",
    "SELECT name FROM spans TABLESAMPLE -5%",
    "SELECT name FROM spans USING SAMPLE 200%",
    "DESCRIBE SELECT sum(attributes.t, 1) FROM spans",
    "EXPLAIN SELECT upper(name, 1) FROM spans",
    "SUMMARIZE nosuch",
    "DESCRIBE nosuch",
]

_INSIDES = re.compile(
    r"__|\.parquet|LINE \d|\n|(?<!\w)/\w|sqlglot|duckdb|Traceback|INTERNAL|UTINYINT|BUG|\bn_\w|0x|exp\.|None|node"
)
_NAME = re.compile(r"[A-Za-z]\w*_\w*")
_KNOWN = {
    *(name for table in STORED.values() for name in (*table.columns, *table.variants)),
    *ENGINE,
    *JSON,
    *SYNTAX,
}


@pytest.fixture(scope="module", params=[STATES[0], STATES[2]])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    rows = {"spans": [span(i, **row) for i, row in enumerate(ROWS)]}
    with build(tmp_path_factory.mktemp("texts") / "store", request.param, rows, pieces=2) as made:
        yield made


def test_an_error_is_told_in_the_words_of_who_asked(store: Store) -> None:
    wrong = []
    statements = [*(f"SELECT {item} FROM spans" for item in OF_ROWS), *STATEMENTS]
    refused = 0
    for sql in statements:
        try:
            store.sql(sql).rows()
        except QueryError as error:
            refused += 1
            wrong += [f"{sql}\n  {told}" for told in [_insides_in(str(error), sql)] if told]
        except Exception as error:  # noqa: BLE001 - every statement is told of at once
            wrong.append(f"{sql}\n  {type(error).__name__}: {error}")
    assert not wrong, f"{len(wrong)} of {refused} refused:\n" + "\n".join(wrong)
    assert refused > len(statements) // 2


def _insides_in(text: str, sql: str) -> str | None:
    """Returns an error's text with what does not belong there, None where all of it does."""
    asked = sql.lower()
    told = text.split("\n  ", maxsplit=1)[0] if text.startswith("cannot parse query") else text
    found = [each for each in _INSIDES.findall(told) if each not in sql]
    for name in _NAME.findall(told):
        is_known = name.lower() in _KNOWN or name.lower().startswith(FAMILIES)
        if name.lower() not in asked and not is_known:
            found.append(name)
    return f"{text!r} holds {found}" if found else None
