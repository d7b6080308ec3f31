"""Hypothesis strategies: JSON texts of every spelling, and OTLP messages of every shape."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from data.payloads import START_NS, any_value

EDGE_INTEGERS = sorted(
    {sign * (2**power + step) for power in (0, 7, 31, 53, 63, 64) for step in (-1, 0, 1)
     for sign in (1, -1)}
)  # fmt: skip
KEYS = ["a", "b", "c", "a.b", "", "a b", 'q"q', "x:i64", "[0]", "back\\slash", "\x00\x1f", "ключ"]

space = st.sampled_from(["", "", "", " ", "\t", "  \r"])
keys = st.one_of(st.sampled_from(KEYS), st.sampled_from(KEYS), st.text(max_size=5))

number_texts = st.one_of(
    st.sampled_from(EDGE_INTEGERS).map(str),
    st.integers(-1000, 1000).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1000, 1000, width=16).map(repr),
    st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,4})?", fullmatch=True),
)


def _escape(character: str, how: int) -> str:
    code = ord(character)
    if how == 0:
        return json.dumps(character)[1:-1]  # \uXXXX for all beyond ASCII
    if how == 1 and code < 0x10000:
        return f"\\u{code:04X}"
    if how == 2 and character == "/":
        return "\\/"
    return json.dumps(character, ensure_ascii=False)[1:-1]


@st.composite
def string_texts(draw: st.DrawFn, plain: st.SearchStrategy[str] = keys) -> str:
    """Draws a JSON string with escapes of mixed spelling, and now and then a lone surrogate."""
    characters = draw(plain)
    how = draw(st.integers(0, 3))
    body = "".join(_escape(c, how if c.isascii() else min(how, 1) or 3) for c in characters)
    if draw(st.integers(0, 9)) == 0:
        body += draw(st.sampled_from(["\\ud800", "\\uDFFF", "\\ud83d\\ude00", "\\ud800\\ud83d"]))
    return f'"{body}"'


scalar_texts = st.one_of(
    st.sampled_from(["null", "true", "false"]),
    number_texts,
    string_texts(st.text(max_size=8)),
)


@st.composite
def _lists(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    of_one_kind = draw(st.integers(0, 3))
    element = [inner, inner, st.integers(-9, 9).map(str), st.sampled_from(["1.5", "-0.0", "2e3"])]
    items = draw(st.lists(element[of_one_kind], max_size=4))
    gap = draw(space)
    return f"[{gap}{f'{gap},{gap}'.join(items)}{gap}]"


@st.composite
def _objects(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    pairs = draw(st.lists(st.tuples(string_texts(), inner), max_size=4))
    gap = draw(space)
    return "{" + gap + f"{gap},{gap}".join(f"{k}{gap}:{gap}{v}" for k, v in pairs) + gap + "}"


json_texts = st.recursive(
    scalar_texts, lambda inner: st.one_of(_lists(inner), _objects(inner)), max_leaves=12
)
object_texts = _objects(json_texts)
row_texts = st.one_of(object_texts, object_texts, object_texts, json_texts)
batches = st.lists(row_texts, min_size=1, max_size=8)

# --- OTLP ---------------------------------------------------------------------------------------

otlp_strings = st.one_of(st.sampled_from(["", "x", "service.name", "naïve ☃"]), st.text(max_size=6))
otlp_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.integers(0, 100),
        st.floats(),
        otlp_strings,
        st.binary(max_size=5),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)
# A list of pairs, not a dict: real exporters send the same key twice.
otlp_attributes = st.lists(
    st.tuples(keys, otlp_values).map(lambda kv: KeyValue(key=kv[0], value=any_value(kv[1]))),
    max_size=4,
)


def _mostly(usual: st.SearchStrategy[Any], seldom: st.SearchStrategy[Any]) -> Any:
    """Draws from the first strategy eleven times in twelve."""
    return st.integers(0, 11).flatmap(lambda pick: usual if pick else seldom)


times = _mostly(
    st.one_of(st.just(START_NS), st.integers(0, 10**6), st.just(2**63 - 1)),
    st.sampled_from([2**63, 2**64 - 1]),
)
counts = st.one_of(st.just(0), st.integers(0, 2**32 - 1))


def _ids(size: int) -> st.SearchStrategy[bytes]:
    good = st.integers(1, 2**60).map(lambda number: number.to_bytes(size, "big"))
    return _mostly(good, st.sampled_from([b"", bytes(size), b"odd"]))  # type: ignore[no-any-return]


@st.composite
def _resource_and_scope(draw: st.DrawFn, group: Any, scoped: Any) -> None:
    group.schema_url = draw(otlp_strings)
    scoped.schema_url = draw(otlp_strings)
    if draw(st.booleans()):
        group.resource.attributes.extend(draw(otlp_attributes))
        group.resource.dropped_attributes_count = draw(counts)
    if draw(st.booleans()):
        service = draw(otlp_values)
        group.resource.attributes.add(key="service.name").value.CopyFrom(any_value(service))
    if draw(st.integers(0, 3)) == 0:
        routed = any_value(draw(st.sampled_from(["", "one", "two", "default", 3])))
        name = draw(st.sampled_from(["tracestore.project", "openinference.project.name"]))
        group.resource.attributes.add(key=name).value.CopyFrom(routed)
    if draw(st.booleans()):
        scoped.scope.name = draw(otlp_strings)
        scoped.scope.version = draw(otlp_strings)
        scoped.scope.attributes.extend(draw(otlp_attributes))
        scoped.scope.dropped_attributes_count = draw(counts)


@st.composite
def _spans(draw: st.DrawFn, span: Any) -> None:
    span.trace_id, span.span_id = draw(_ids(16)), draw(_ids(8))
    span.parent_span_id = draw(_ids(8))
    span.name = draw(otlp_strings)
    span.kind = draw(st.integers(0, 6))
    span.start_time_unix_nano = draw(times)
    span.end_time_unix_nano = draw(times)
    span.flags = draw(counts)
    span.trace_state = draw(otlp_strings)
    span.attributes.extend(draw(otlp_attributes))
    span.dropped_attributes_count = draw(counts)
    if draw(st.booleans()):
        span.status.code = draw(st.integers(0, 3))
        span.status.message = draw(otlp_strings)
    for _ in range(draw(st.integers(0, 2))):
        event = span.events.add(name=draw(otlp_strings), time_unix_nano=START_NS)
        event.attributes.extend(draw(otlp_attributes))
        event.dropped_attributes_count = draw(counts)
    for _ in range(draw(st.integers(0, 1))):
        link = span.links.add(trace_id=draw(_ids(16)), span_id=draw(_ids(8)), flags=draw(counts))
        link.trace_state = draw(otlp_strings)
        link.attributes.extend(draw(otlp_attributes))


@st.composite
def _records(draw: st.DrawFn, record: Any) -> None:
    record.trace_id, record.span_id = draw(_ids(16)), draw(_ids(8))
    record.time_unix_nano = draw(times)
    record.observed_time_unix_nano = draw(times)
    record.severity_number = draw(st.integers(0, 24))
    record.severity_text = draw(otlp_strings)
    record.event_name = draw(otlp_strings)
    record.flags = draw(counts)
    record.attributes.extend(draw(otlp_attributes))
    if draw(st.booleans()):
        record.body.CopyFrom(any_value(draw(otlp_values)))


@st.composite
def requests(draw: st.DrawFn, signal: str) -> Any:
    """Draws a request message of a signal ("traces" or "logs")."""
    traces = signal == "traces"
    request = ExportTraceServiceRequest() if traces else ExportLogsServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        group = request.resource_spans.add() if traces else request.resource_logs.add()
        for _ in range(draw(st.integers(0, 2))):
            scoped = group.scope_spans.add() if traces else group.scope_logs.add()
            draw(_resource_and_scope(group, scoped))
            for _ in range(draw(st.integers(0, 3))):
                draw(_spans(scoped.spans.add()) if traces else _records(scoped.log_records.add()))
    return request
