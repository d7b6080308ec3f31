"""Words sidecars never change an answer: each condition is asked with them and without, wherever the rows lie."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.stores import STATES, build, log, span
from tracestore import Store
from tracestore.variant import words
from tracestore_query import Query
from tracestore_query.bind.word_conditions import pieces_of

WORDS = (
    "Alpha",
    "beta",
    "Straße",
    "gpt-4o",
    "can't",
    "3.14",
    "İstanbul",
    "kelvin",
    "\u212aelvin",
    "退款",
)
CONTENTS = [
    " ".join(WORDS),
    "alphabeta, Alpha;beta",
    "x\nAlpha\tbeta",
    "200",
    "true",
    '{"Alpha": "in a key"}',
    "alpha\u0301 \u200dbeta",
    "",
]
ROWS: list[dict[str, Any]] = [
    *({"name": text, "attributes": {"note": text, "n": i}} for i, text in enumerate(CONTENTS)),
    {"attributes": {"note": 200, "flag": True, "ratio": 2.5}},
    {"input": [{"role": "user", "content": "Alpha refund\nplease"}, {"Alpha": "key"}]},
    {"input": {"deep": {"deeper": ["beta", 3.14, None, {"x": "退款"}]}}, "output": "Straße"},
    {"attributes": {"gen_ai.prompt": '[{"role": "user", "content": "Moved\\nwords"}]'}},
    {"metadata": {f"rare{i}": f"tail{i} word" for i in range(3)}},
]

CONDITIONS = [
    *(f"search('{word.replace(chr(39), chr(39) * 2)}')" for word in WORDS),
    *("search('200')", "search('true')", "search('2.5')", "search('absent')", "search('role')"),
    *("search('refund absent')", "search('alpha refund')", "search('moved')", "search('nwords')"),
    *("match(spans, 'tail1')", "match(name, 'alpha')", "match(attributes.note, '200')"),
    *("match(attributes, 'moved')", "match(attributes, 'nwords')", "match(attributes, 'alpha')"),
    *("match(attributes.n, '3')", "match(input, 'content')", "match(input.deep, '3.14')"),
    *("match(attributes.note, 'true')", "match(metadata.rare1, 'tail1')"),
    *(
        "NOT search('alpha')",
        "search('alpha') OR search('tail1')",
        "search('alpha') AND name > 'B'",
    ),
    *(
        "attributes.note LIKE '% beta %'",
        "attributes.note LIKE '%Alpha beta%'",
        "name LIKE 'Alpha %'",
    ),
    *("name ILIKE '% ISTANBUL %'", "name ILIKE '% KELVIN %'", "name ILIKE '%STRASSE%'"),
    *("name = 'alphabeta, Alpha;beta'", "'true' = name", "attributes.note = '200'", "name = ''"),
    *("contains(name, ' beta ')", "starts_with(name, 'x')", "suffix(name, ' 退款')"),
    *(
        "name NOT LIKE '% beta %'",
        "attributes.note LIKE '%200%'",
        "input[0].content LIKE '% refund%'",
    ),
    *("name LIKE '% gpt-4o %' ESCAPE '!'", "attributes.gen_ai.prompt[0].content LIKE '%words'"),
    "EXISTS (SELECT 1 FROM logs l WHERE search('refund') AND l.body = 'a refund')",
    "span_id IN (SELECT span_id FROM spans WHERE search('straße'))",
]

SELECT = "SELECT start_ns FROM spans WHERE {} ORDER BY ALL"
STATEMENTS = [
    *(SELECT.format(condition) for condition in CONDITIONS),
    "SELECT s.name, l.body FROM spans s, logs l WHERE match(s, 'alpha') AND match(l, 'refund') ORDER BY ALL",
    "SELECT s.name, l.body FROM spans s LEFT JOIN logs l ON l.body = s.name WHERE match(s, 'alpha') ORDER BY ALL",
    "SELECT s.name, l.body FROM spans s LEFT JOIN logs l ON true WHERE match(l, 'none') ORDER BY ALL",
    "SELECT count(*) FROM spans WHERE search('alpha') GROUP BY name HAVING match(name, 'beta') ORDER BY ALL",
    "SELECT input, attributes FROM spans WHERE search('refund') ORDER BY start_ns",
    "SELECT name FROM spans WHERE search('beta') ORDER BY start_time DESC LIMIT 2",
    "SELECT search('alpha') AS found, count(*) FROM spans GROUP BY ALL ORDER BY ALL",
    "SELECT count(*) FROM (SELECT name AS n FROM spans) t WHERE match(t.n, 'alpha')",
    "WITH spans AS (SELECT 'Alpha' AS name) SELECT * FROM spans WHERE match(name, 'alpha')",
    "SELECT body FROM logs WHERE search('refund') ORDER BY ALL",
    # Rows that are known need no text, unless something else reads it.
    "SELECT count(*) FROM spans WHERE search('beta')",
    "SELECT count(*) FROM spans WHERE match(attributes.note, 'gpt beta')",
    "SELECT count(*), min(name) FROM spans WHERE match(name, 'alpha')",
    "SELECT kind, is_root, end_time, duration FROM spans WHERE search('refund') ORDER BY ALL",
    "SELECT attributes.note FROM spans WHERE match(attributes.note, 'beta') AND match(name, 'beta') ORDER BY ALL",
    "SELECT attributes.n FROM spans WHERE match(attributes.note, 'beta') AND name LIKE '% beta %' ORDER BY ALL",
    "SELECT name, count(*) FROM spans WHERE search('beta') GROUP BY name ORDER BY ALL",
    "SELECT a.name, b.name FROM spans a, spans b WHERE match(a.name, 'beta') AND match(b, 'refund') ORDER BY ALL",
    "SELECT count(*) FROM spans a JOIN spans b ON a.name = b.name WHERE match(a, 'beta') AND match(b.name, 'x')",
    "WITH w AS (SELECT * FROM spans WHERE search('beta')) SELECT count(*), max(span_id) FROM w",
    (
        "SELECT count(*) FROM (SELECT name FROM spans WHERE search('beta') UNION ALL "
        "SELECT name FROM spans WHERE match(name, 'alpha'))"
    ),
    "SELECT * FROM spans WHERE match(attributes.note, 'x') ORDER BY start_ns",
    "SELECT span_id, attributes FROM spans WHERE search('beta') ORDER BY start_ns LIMIT 3",
    "SELECT count(*) FROM spans WHERE search('beta') AND search('alpha') AND status_code IS NULL",
    "SELECT EXISTS (SELECT 1 FROM spans s WHERE match(s.name, 'beta') AND s.kind IS NULL)",
]


@pytest.fixture(scope="module", params=STATES)
def asked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Store, Query]]:
    """Gives a store with rows that were patched and replaced since, and a query of it without shortcuts."""
    rows = {
        "spans": [span(i, **{"attributes": {}} | row) for i, row in enumerate(ROWS)],
        "logs": [log(0, body="a refund"), log(1, body={"m": "none"})],
    }
    folder = tmp_path_factory.mktemp("words") / "store"
    with build(folder, request.param, rows, pieces=4) as store:
        first, later = span(0), span(1, name="Alpha later", attributes={})
        store.insert("spans", [later])
        store.patch(
            [
                {
                    "trace_id": first["trace_id"],
                    "span_id": first["span_id"],
                    "metadata": {"why": "patched refund"},
                }
            ]
        )
        plain = Query(store, shortcuts=False)
        yield store, plain
        plain.close()


@pytest.mark.parametrize("statement", STATEMENTS)
def test_an_answer_is_the_same_without_sidecars(asked: tuple[Store, Query], statement: str) -> None:
    store, plain = asked
    assert store.sql(statement).rows() == plain.sql(statement).rows()


def test_later_versions_and_patches_are_found(asked: tuple[Store, Query]) -> None:
    store, _ = asked
    for condition, names in (
        ("search('later')", ["Alpha later"]),
        ("search('patched')", [CONTENTS[0]]),
    ):
        rows = store.sql(f"SELECT name FROM spans WHERE {condition}").rows()
        assert [row["name"] for row in rows] == names


def test_parameters_are_words_of_their_own_each_time(asked: tuple[Store, Query]) -> None:
    store, plain = asked
    for pattern in ("% beta %", "%none of it%", "x%", "% Straße %", "%"):
        sql = SELECT.format("name LIKE $pattern")
        parameters = {"pattern": pattern}
        assert store.sql(sql, parameters).rows() == plain.sql(sql, parameters).rows()


LETTERS = st.text(
    st.sampled_from(
        "abABzZ019 .,'_-/()\n\t\u00e9\u0130\u0131\u017f\u212a\u4e00\u200d\u0301\u2139\U0001f1e9\u05d0\"%"
    ),
    max_size=9,
)
PATTERNS = st.lists(st.one_of(LETTERS, st.sampled_from("%_")), max_size=5).map("".join)


@settings(max_examples=150)
@given(text=LETTERS, pattern=PATTERNS, around=st.tuples(LETTERS, LETTERS), any_case=st.booleans())
def test_the_words_of_a_pattern_stand_in_every_text_that_it_matches(
    engine: Query, text: str, pattern: str, around: tuple[str, str], *, any_case: bool
) -> None:
    """Of texts made to match: what stands for each wildcard is drawn, and the case of letters may differ."""
    for made in (
        text,
        pattern.replace("%", around[0]).replace("_", "x"),
        around[0] + pattern + around[1],
    ):
        spelled = made.swapcase() if any_case else made
        operator = "ILIKE" if any_case else "LIKE"
        [row] = engine.sql(f"SELECT $t {operator} $p AS m", {"t": spelled, "p": pattern}).rows()
        if row["m"]:
            held = set(words(spelled))
            pieces = pieces_of(pattern, any_case=any_case)
            assert {word for piece in pieces for word in piece.words()} <= held


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Query]:
    """Gives a query over nothing."""
    with build(tmp_path_factory.mktemp("none") / "store", "memtable", {}) as store:
        yield store.query


def test_explain_says_what_words_left_out(tmp_path: Any) -> None:
    rows = [span(i, name="needle" if i == 55 else f"hay {i}") for i in range(60)]
    with build(tmp_path / "store", "many segments", {"spans": rows}) as store:
        told = {
            row["step"]: row["detail"]
            for row in store.sql("EXPLAIN SELECT name FROM spans WHERE search('Needle')").rows()
        }
        assert told["words"] == (
            "needle: 11 segments without them left out, 1 of 5 rows read of 1 segments, 0 read whole; "
            "1 rows of 1 segments are known to match, and not looked through"
        )
        assert told["segments"].startswith("1 read, 11 pruned")
        assert [
            row["name"] for row in store.sql("SELECT name FROM spans WHERE search('Needle')").rows()
        ] == ["needle"]


def test_rows_of_a_whole_value_are_picked_where_they_are_few(tmp_path: Any) -> None:
    """Where many rows have a value, to pick each by its number costs more than to compare the values."""
    rows = [span(i, name="rare" if i == 0 else "usual" if i % 10 else "tenth") for i in range(200)]
    with build(tmp_path / "store", "one segment", {"spans": rows}) as store:
        picked = {
            condition: store.sql(f"EXPLAIN SELECT count(*) FROM spans WHERE {condition}").rows()
            for condition in ("name = 'rare'", "name = 'tenth'", "name LIKE 'tenth'")
        }
    words = {
        condition: next(row["detail"] for row in told if row["step"] == "words")
        for condition, told in picked.items()
    }
    assert "1 of 200 rows read of 1 segments, 0 read whole" in words["name = 'rare'"]
    assert "1 read whole" in words["name = 'tenth'"]
    assert "19 of 200 rows read of 1 segments, 0 read whole" in words["name LIKE 'tenth'"]
