"""`match` and `search` find words of texts, wherever the texts lie and however JSON spells them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import tracestore
from data import payloads
from data.stores import EVERY_WORD, STATES, build, in_state, log, span
from tracestore import Store
from tracestore.errors import QueryError

ROWS: list[dict[str, Any]] = [
    {"input": {"messages": [{"role": "user", "content": "Dear team,\nrefund\tplease"}]}},
    {"input": "A REFUND, as plain text", "attributes": {"note": "x\nnothing"}},
    {"input": [{"content": "the nrefund"}], "attributes": {"refund": "a key"}},
    {"input": {"a": ["我要退款", {"b": "schön\u00e9 Straße"}]}, "attributes": {"note": 200}},
    {
        "output": 'she said "refund"',
        "attributes": {"note": True, "deep": {"x": ["y", "caf\u00e9"]}},
    },
    {"attributes": {"note": None}, "name": "refund-name"},
]

FOUND: list[tuple[str, list[int]]] = [
    ("search('refund')", [0, 1, 4, 5]),
    ("match(spans, 'refund')", [0, 1, 4, 5]),
    ("match(input, 'Refund')", [0, 1]),
    ("match(input, 'refund please')", [0]),
    ("match(input, 'please, refund!')", [0]),
    ("match(input.messages, 'refund')", [0]),
    ("match(input.messages[0].content, 'refund')", [0]),
    ("match(input, 'content')", []),
    ("match(input, 'nrefund')", [2]),
    ("match(input, '退款')", [3]),
    ("match(input, 'STRASSE')", []),
    ("match(input, 'straße')", [3]),
    ("match(input, 'SCHÖNÉ')", [3]),
    ("match(output, 'refund')", [4]),
    ("match(attributes.note, '200')", [3]),
    ("match(attributes.note, 'true')", [4]),
    ("match(attributes.note, 'null')", []),
    ("match(attributes.deep, 'café')", [4]),
    ("match(attributes.nowhere, 'x')", []),
    ("match(upper(input.messages[0].content), 'refund')", [0]),
    ("match(name, 'name')", [5]),
    ("NOT match(input, 'refund')", [2, 3, 4, 5]),
    ("search('she refund')", [4]),
]


@pytest.fixture(scope="module", params=STATES)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    rows = {"spans": [span(i, **{"attributes": {}} | row) for i, row in enumerate(ROWS)]}
    rows["logs"] = [log(0, body="a refund"), log(1, body={"m": "none"})]
    with build(tmp_path_factory.mktemp("words") / "store", request.param, rows, pieces=3) as made:
        yield made


def numbers(store: Store, condition: str, parameters: Any = None) -> list[int]:
    sql = f"SELECT start_ns FROM spans WHERE {condition} ORDER BY start_ns"
    first = span(0)["start_ns"]
    return [(row["start_ns"] - first) // 1_000_000 for row in store.sql(sql, parameters).rows()]


@pytest.mark.parametrize(("condition", "expected"), FOUND)
def test_words_are_found(store: Store, condition: str, expected: list[int]) -> None:
    assert numbers(store, condition) == expected


def test_words_may_be_a_parameter_and_others_the_next_time(store: Store) -> None:
    for words, expected in (("refund", [0, 1]), ("nrefund", [2]), ("refund please", [0])):
        assert numbers(store, "match(input, $words)", {"words": words}) == expected
        assert numbers(store, "match(input, ?)", [words]) == expected


def test_logs_and_joins_are_searched(store: Store) -> None:
    assert store.sql("SELECT count(*) AS n FROM logs WHERE search('refund')").rows() == [{"n": 1}]
    sql = "SELECT count(*) AS n FROM spans s JOIN logs l ON true WHERE match(s, 'please') AND match(l, 'refund')"
    assert store.sql(sql).rows() == [{"n": 1}]
    sql = "SELECT count(*) AS n FROM (SELECT input AS i FROM spans) t WHERE match(t.i, 'refund')"
    assert store.sql(sql).rows() == [{"n": 2}]


@pytest.mark.parametrize(
    ("condition", "parameters", "text"),
    [
        ("search('')", None, "no word"),
        ("search('?! 🔥')", None, "no word to look for in '\\?! 🔥'"),
        ("match(input, $w)", {"w": " - "}, "no word"),
        ("match(input, $w)", {"w": 5}, "must be a text"),
        ("match(input, name)", None, "must be a text"),
        (f"search('{' '.join(map(str, range(40)))}')", None, "32 words at most"),
        ("match('x')", None, "takes"),
    ],
)
def test_a_needle_without_a_word_is_an_error(
    store: Store, condition: str, parameters: Any, text: str
) -> None:
    with pytest.raises(QueryError, match=text):
        numbers(store, condition, parameters)


BEHIND_BREAKS: list[tuple[str, list[int]]] = [
    ("input[0].content LIKE '%refund%'", [0, 1, 2]),
    ("match(input[0].content, 'refund')", [0, 1, 2]),
    ("match(input, 'refund')", [0, 1, 2, 3]),
    ("search('refund')", [0, 1, 2, 3, 4]),
]


@pytest.mark.parametrize("state", STATES)
def test_words_behind_breaks_are_found_in_messages_that_came_as_json_text(
    tmp_path: Path, state: str
) -> None:
    sent: list[dict[str, Any]] = [
        {"input.value": json.dumps([{"role": "user", "content": text}])}
        for text in ("Question:\nrefund please", "Question: refund please", "a\trefund")
    ]
    sent += [{"input.value": "Question:\nrefund, as plain text"}, {"note": "x\nrefund"}]
    with tracestore.open(tmp_path / "store", background=False, **EVERY_WORD) as store:
        writes = [partial(export, store, i, attributes) for i, attributes in enumerate(sent)]
        in_state(store, state, writes)
        for condition, expected in BEHIND_BREAKS:
            assert numbers(store, condition) == expected, condition


def export(store: Store, number: int, attributes: dict[str, Any]) -> None:
    """Sends one span as an exporter does."""
    start_ns = span(number)["start_ns"]
    request = ExportTraceServiceRequest()
    sent = (
        request.resource_spans.add()
        .scope_spans.add()
        .spans.add(
            trace_id=bytes([number + 1] * 16),
            span_id=bytes([number + 1] * 8),
            name="s",
            start_time_unix_nano=start_ns,
            end_time_unix_nano=start_ns + 1,
        )
    )
    sent.attributes.extend(payloads.key_values(attributes))
    store.ingest_otlp(request.SerializeToString(), signal="traces")
