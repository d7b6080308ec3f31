"""Attributes that moved are found where an application sent them: alone, inside, in the whole, in every state."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import tracestore
from data import payloads
from data.stores import STATES, in_state
from tracestore import Store
from tracestore_query.bind.moved_paths import moved_path
from tracestore_query.language.path_syntax import Step

CHAT = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
SPANS: list[dict[str, Any]] = [
    {"gen_ai.operation.name": "chat", "gen_ai.input.messages": json.dumps(CHAT), "n": 0},
    {"gen_ai.operation.name": "chat", "gen_ai.input.messages": "plain text", "n": 1},
    {
        "openinference.span.kind": "LLM",
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "late parcel",
        "llm.tools.0.tool.name": "search",
        "input.value": '{"kept": 1}',
        "n": 2,
    },
    {"input.value": '{"question": {"id": 7}}', "output.value": "[1, 2]", "n": 3},
    {"braintrust.input_json": "5", "input.value": "loser", "n": 4},
    {"n": 5},
    {"gen_ai.usage.input_tokens": 4, "gen_ai.operation.name": "chat", "n": 6},
    {"gen_ai.usage.input_tokens": 4, "gen_ai.operation.name": "invoke_agent", "n": 7},
]


def request() -> bytes:
    message = ExportTraceServiceRequest()
    scope = message.resource_spans.add().scope_spans.add()
    for number, attributes in enumerate(SPANS):
        span = scope.spans.add(trace_id=b"t" * 16, span_id=b"span" + bytes(3) + bytes([number + 1]))
        span.start_time_unix_nano = 1_790_000_000_000_000_000 + number
        span.attributes.extend(payloads.key_values(attributes))
    body: bytes = message.SerializeToString()
    return body


@pytest.fixture(params=STATES, scope="module")
def store(
    request_: bytes, request: pytest.FixtureRequest, tmp_path_factory: Any
) -> Iterator[Store]:
    with tracestore.open(tmp_path_factory.mktemp("moved") / "store", background=False) as opened:
        writes: list[Callable[[], object]] = [lambda: opened.ingest_otlp(request_, "traces")]
        if request.param != "memtable":
            # A plain span comes first: where it has a segment of its own, no moved column is there.
            plain = {"name": "old", "attributes": {"n": -1}}
            writes.insert(0, lambda: opened.insert("spans", [plain]))
        in_state(opened, request.param, writes)
        if request.param != "memtable":
            opened.delete(where=[("name", "=", "old")])
        yield opened


@pytest.fixture(name="request_", scope="module")
def _request() -> bytes:
    return request()


def column(store: Store, value: str, where: str = "true") -> list[Any]:
    rows = store.sql(f"SELECT {value} AS v FROM spans WHERE {where} ORDER BY attributes.n").rows()
    return [row["v"] for row in rows]


def test_all_attributes_come_back(store: Store) -> None:
    for value in ("attributes", "attributes::JSON", "any_value(attributes)"):
        tail = " GROUP BY attributes.n" if "any" in value else ""
        rows = store.sql(
            f"SELECT {value} AS a, attributes.n AS n FROM spans{tail} ORDER BY n"
        ).rows()
        for row, sent in zip(rows, SPANS, strict=True):
            assert parsed(row["a"]) == parsed(sent)


def parsed(attributes: Any) -> Any:
    """Returns attributes with JSON text as its value."""
    found = json.loads(attributes) if isinstance(attributes, str) else attributes
    return {
        key: json.loads(value) if isinstance(value, str) and value[:1] in {"[", "{"} else value
        for key, value in found.items()
    }


def test_attributes_that_moved_are_found_by_name(store: Store) -> None:
    messages = column(store, "attributes.gen_ai.input.messages")
    assert messages[:3] == [CHAT, "plain text", None]
    roles = column(store, "attributes.gen_ai.input.messages[1].role")
    assert roles == ["assistant", *[None] * 7]
    quoted = column(store, "attributes['gen_ai.input.messages'][0].content")
    assert quoted[0] == "hi"
    assert column(store, "attributes.gen_ai.input.messages::VARCHAR")[1] == "plain text"


def test_only_rows_in_which_it_moved_have_it(store: Store) -> None:
    has = "attributes.gen_ai.input.messages IS NOT NULL"
    assert column(store, "attributes.n", has) == [0, 1]
    assert column(store, "attributes.n", "attributes.gen_ai.input.messages = 'plain text'") == [1]
    # Own values and moved ones are one column.
    values = column(store, "attributes.input.value")
    assert [v for v in values if v is not None] == [
        '{"kept": 1}',
        {"question": {"id": 7}},
        "loser",
    ]
    assert column(store, "attributes.input.value.question.id")[3] == 7
    assert column(store, "attributes.n", "attributes.input.value = 'loser'") == [4]
    assert column(store, "attributes.n", "attributes.output.value[0] = 1") == [3]


def test_numbered_keys_are_found_both_ways(store: Store) -> None:
    assert column(store, "attributes.llm.input_messages[0].content")[2] == "late parcel"
    assert column(store, 'attributes."llm.input_messages.0.message.content"')[2] == "late parcel"
    assert column(store, "attributes.llm.tools[0].name")[2] == "search"
    assert column(store, 'attributes."llm.tools.0.tool.name"')[2] == "search"


def test_inputs_are_one_column(store: Store) -> None:
    inputs = column(store, "input")
    assert inputs[:2] == [CHAT, [{"role": "user", "content": "plain text"}]]
    assert inputs[2] == [{"content": "late parcel", "role": "user"}]
    assert inputs[3:5] == [{"question": {"id": 7}}, 5]
    assert (
        column(store, "count(*)::BIGINT", "input_key IS NOT NULL GROUP BY attributes.n") == [1] * 5
    )


def test_tokens_count_once(store: Store) -> None:
    assert store.sql("SELECT sum(metrics.tokens)::BIGINT AS t FROM spans").rows() == [{"t": 4}]
    assert store.sql("SELECT tokens::BIGINT AS t FROM traces").rows() == [{"t": 4}]


@pytest.mark.parametrize(
    "record",
    [
        "garbage",
        "[]",
        "5",
        '{"a": 5}',
        '{"a": ["nowhere", "json"]}',
        '{"a.*": ["attributes", "numbered"]}',
        '{"a.*": ["input", "numbered"]}',
        "[" * 100_000,
    ],
)
def test_a_record_that_does_not_fit_its_row_spoils_no_answer(tmp_path: Path, record: str) -> None:
    with tracestore.open(tmp_path / "store") as opened:
        rows = [
            {"name": "a", "attributes": {"n": 0}, "input": "x", "moved_attributes": record},
            {"name": "b", "attributes": 5, "input": "x", "moved_attributes": record},
        ]
        opened.insert("spans", rows)
        for value in ("attributes", "attributes::JSON"):
            found = opened.sql(f"SELECT {value} AS a FROM spans ORDER BY name").rows()
            first, second = (
                {"a": json.loads(row["a"])} if isinstance(row["a"], str) else row for row in found
            )
            assert first["a"]["n"] == 0
            assert second["a"] == 5


def steps(*names: str | int) -> list[Step]:
    return [
        Step("attributes"),
        *(Step(index=name) if isinstance(name, int) else Step(name) for name in names),
    ]


@pytest.mark.parametrize(
    ("names", "name", "wanted"),
    [
        (("gen_ai", "input", "messages"), "gen_ai.input.messages", ["input"]),
        (("gen_ai.input.messages", 0, "role"), "gen_ai.input.messages", ["input", 0, "role"]),
        (("gen_ai", "prompt"), "gen_ai.prompt", ["input"]),
        (("gen_ai", "prompt", 0, "role"), "gen_ai.prompt.*", ["input", 0, "role"]),
        (("gen_ai.prompt.0.role",), "gen_ai.prompt.*", ["input", 0, "role"]),
        (("ai", "prompt", "messages"), "ai.prompt.messages", ["input"]),
        (("ai", "prompt", "other"), "ai.prompt", ["input", "other"]),
        (
            ("llm.tools.0.tool.json_schema",),
            "llm.tools.*",
            ["attributes", "llm.tools", 0, "json_schema"],
        ),
        (("llm.tools.0.other.json_schema",), None, []),
        (("llm.tools", 0), None, []),
        (("http", "route"), None, []),
    ],
)
def test_names_and_places(names: tuple[Any, ...], name: str | None, wanted: list[Any]) -> None:
    found = moved_path(steps(*names))
    if found is None:
        assert name is None
        return
    assert found.name == name
    assert [each.text if each.index is None else each.index for each in found.steps] == wanted
