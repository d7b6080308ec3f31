"""TraceQL finds the spans that its operators describe: drawn traces, asked here and evaluated span by span."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import tracestore
from tracestore import Store
from tracestore_query.doors.tempo.comparison import compared_series
from tracestore_query.doors.tempo.moments import tempo_length, tempo_moment
from tracestore_query.doors.tempo.search import search
from tracestore_query.doors.tempo.series import series, steps_of
from tracestore_query.doors.tempo.tags import values_of
from tracestore_query.doors.traceql.parser import parse_traceql
from tracestore_query.doors.traceql.spansets import Window
from tracestore_query.errors import QueryError

START_NS = 1_790_000_000_000_000_000
Span = dict[str, Any]
Spans = set[str]


def drawn_spans(chance: random.Random) -> list[Span]:
    """Returns spans of twelve traces; some have parents that never came, some are their own ancestors."""
    spans = []
    for trace in range(12):
        size = chance.randint(1, 9)
        ids = [f"{trace + 1:08x}{number:08x}" for number in range(size)]
        for number, span_id in enumerate(ids):
            parent = chance.choice(ids[:number]) if number else None
            if chance.random() < 0.1:
                parent = chance.choice([f"{trace + 1:08x}ffffffff", *ids])
            spans.append(
                {
                    "trace_id": f"{trace + 1:032x}",
                    "span_id": span_id,
                    "parent_span_id": parent,
                    "name": chance.choice("abc"),
                    "kind": chance.choice(["SERVER", "CLIENT"]),
                    "status_code": chance.choice([None, "OK", "ERROR"]),
                    "service": chance.choice(["shop", "stock"]),
                    "start_ns": START_NS + trace * 1_000_000_000 + number,
                    "duration_ns": chance.randint(0, 10) * 1_000_000,
                    "attributes": {"n": chance.choice([1, 2, "two", None]), "http.route": "/r"},
                }
            )
    return spans


SPANS = drawn_spans(random.Random(20))


@pytest.fixture(scope="module", params=[False, True], ids=["in memory", "in a segment"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    with tracestore.open(tmp_path_factory.mktemp("traceql") / "store", background=False) as opened:
        opened.insert("spans", SPANS)
        if request.param:
            opened.flush()
        yield opened


def asked(store: Store) -> Callable[[str, Mapping[str, Any]], list[dict[str, Any]]]:
    return lambda sql, values: store.sql(sql, dict(values)).rows()


def found(store: Store, text: str) -> Spans:
    answer = search(parse_traceql(text), Window(), 1000, 100, asked(store))
    return {
        span["spanID"]
        for trace in answer["traces"]
        for shown in trace["spanSets"]
        for span in shown["spans"]
    }


def matching(condition: Callable[[Span], bool]) -> Spans:
    return {span["span_id"] for span in SPANS if condition(span)}


BY_ID = {span["span_id"]: span for span in SPANS}


def ancestors(span_id: str) -> Spans:
    above: Spans = set()
    parent = BY_ID[span_id]["parent_span_id"]
    while parent is not None and parent not in above:
        above.add(parent)
        parent = BY_ID[parent]["parent_span_id"] if parent in BY_ID else None
    return above


def is_child(a: str, b: str) -> bool:
    return bool(BY_ID[b]["parent_span_id"] == a)


def is_descendant(a: str, b: str) -> bool:
    return a in ancestors(b)


def are_siblings(a: str, b: str) -> bool:
    parent = BY_ID[a]["parent_span_id"]
    return bool(a != b and parent is not None and parent == BY_ID[b]["parent_span_id"])


CONDITIONS: dict[str, Callable[[Span], bool]] = {
    "": lambda _: True,
    'name = "a"': lambda span: span["name"] == "a",
    "status = error": lambda span: span["status_code"] == "ERROR",
    "status = unset": lambda span: span["status_code"] is None,
    "status != error": lambda span: span["status_code"] != "ERROR",
    "kind = client && duration > 3ms": lambda span: (
        span["kind"] == "CLIENT" and span["duration_ns"] > 3_000_000
    ),
    "span.n = 1": lambda span: span["attributes"]["n"] == 1,
    'span.n = "two"': lambda span: span["attributes"]["n"] == "two",
    "span.n >= 1": lambda span: span["attributes"]["n"] in {1, 2},
    "span.n != nil": lambda span: span["attributes"]["n"] is not None,
    "!(span.n = 1)": lambda span: span["attributes"]["n"] != 1,
    ".service.name =~ `st.*`": lambda span: span["service"] == "stock",
    ".service.name !~ `st`": lambda _: True,
    'name = "a" || name = "b"': lambda span: span["name"] in "ab",
    "nestedSetParent < 0 && true": lambda span: span["parent_span_id"] is None,
    "duration * 2 >= 1ms * 8": lambda span: span["duration_ns"] >= 4_000_000,
}
RELATIONS: dict[str, Callable[[str, str], bool]] = {
    ">": is_child,
    ">>": is_descendant,
    "<": lambda a, b: is_child(b, a),
    "<<": lambda a, b: is_descendant(b, a),
    "~": are_siblings,
}


@pytest.mark.parametrize("text", CONDITIONS)
def test_a_condition_finds_the_spans_that_it_describes(store: Store, text: str) -> None:
    assert found(store, "{" + text + "}") == matching(CONDITIONS[text])


@pytest.mark.parametrize("operator", RELATIONS)
@pytest.mark.parametrize("negated", ["", "!", "&"])
def test_an_operator_of_structure_is_what_it_says(
    store: Store, operator: str, negated: str
) -> None:
    holds = RELATIONS[operator]
    for left, right in (
        ("", ""),
        ('name = "a"', 'name = "b"'),
        ("span.n = 1", "kind = client && duration > 3ms"),
    ):
        a, b = matching(CONDITIONS.get(left, _named)), matching(CONDITIONS.get(right, _named_b))
        there = {y for y in b if any(_same(x, y) and holds(x, y) for x in a)}
        if negated == "!":
            there = b - there
        if negated == "&":
            there |= {x for x in a if any(_same(x, y) and holds(x, y) for y in b)}
        assert found(store, f"{{{left}}} {negated}{operator} {{{right}}}") == there, (left, right)


def _named(span: Span) -> bool:
    return bool(span["name"] == "a")


def _named_b(span: Span) -> bool:
    return bool(span["name"] == "b")


def _same(a: str, b: str) -> bool:
    return bool(BY_ID[a]["trace_id"] == BY_ID[b]["trace_id"])


def test_sets_of_one_trace_join(store: Store) -> None:
    errors, clients = (
        matching(CONDITIONS["status = error"]),
        matching(lambda s: s["kind"] == "CLIENT"),
    )
    traces = {BY_ID[each]["trace_id"] for each in errors} & {
        BY_ID[each]["trace_id"] for each in clients
    }
    both = {each for each in errors | clients if BY_ID[each]["trace_id"] in traces}
    assert found(store, "{status = error} && {kind = client}") == both
    assert found(store, "{status = error} || {kind = client}") == errors | clients


def test_an_aggregate_keeps_traces_by_their_matched_spans(store: Store) -> None:
    by_trace: dict[str, list[int]] = {}
    for span in SPANS:
        if span["kind"] == "CLIENT":
            by_trace.setdefault(span["trace_id"], []).append(span["duration_ns"])
    kept = {
        each
        for each, lengths in by_trace.items()
        if len(lengths) > 1 and sum(lengths) / len(lengths) > 4e6
    }
    assert found(store, "{kind = client} | count() > 1 | avg(duration) > 4ms") == {
        span["span_id"] for span in SPANS if span["trace_id"] in kept and span["kind"] == "CLIENT"
    }


def test_the_numbers_of_nested_sets_enclose_children(store: Store) -> None:
    text = "{} | select(nestedSetParent, nestedSetLeft, nestedSetRight)"
    answer = search(parse_traceql(text), Window(), 1000, 100, asked(store))
    numbers = {
        span["spanID"]: {each["key"]: int(each["value"]["intValue"]) for each in span["attributes"]}
        for trace in answer["traces"]
        for span in trace["spanSets"][0]["spans"]
    }
    for span_id, span in BY_ID.items():
        own, parent = numbers[span_id], span["parent_span_id"]
        if own["nestedSetLeft"] and parent in numbers:
            assert own["nestedSetParent"] == numbers[parent]["nestedSetLeft"]
            assert numbers[parent]["nestedSetLeft"] < own["nestedSetLeft"] < own["nestedSetRight"]
            assert own["nestedSetRight"] < numbers[parent]["nestedSetRight"]
        if parent is None:
            assert own["nestedSetParent"] == -1


def values(store: Store, text: str) -> dict[tuple[Any, ...], list[float]]:
    begin, end = tempo_moment("start", "1790000000"), tempo_moment("end", "1790000012")
    assert begin is not None and end is not None
    steps = steps_of(begin, end, tempo_length("step", "4s"))
    answer = series(parse_traceql(text), steps, asked(store))
    return {
        tuple(next(iter(label["value"].values())) for label in each["labels"]): [
            sample["value"] for sample in each["samples"]
        ]
        for each in answer["series"]
    }


def test_series_count_and_sum_the_spans_of_their_time(store: Store) -> None:
    counts = [0, 0, 0]
    lengths: dict[str, list[int]] = {"shop": [0, 0, 0], "stock": [0, 0, 0]}
    for span in SPANS:
        bucket = (span["start_ns"] - START_NS) // 4_000_000_000
        counts[bucket] += 1
        lengths[span["service"]][bucket] += span["duration_ns"]
    assert values(store, "{} | count_over_time()") == {("count_over_time",): counts}
    assert values(store, "{} | rate()") == {("rate",): [each / 4 for each in counts]}
    assert values(store, "{} | sum_over_time(duration) by(resource.service.name)") == {
        (name,): pytest.approx([each / 1e9 for each in sums]) for name, sums in lengths.items()
    }
    slowest = values(store, "{} | quantile_over_time(duration, 0, 1) by(resource.service.name)")
    assert {labels[0] for labels in slowest} == {"shop", "stock"}
    ranked = values(store, "{} | count_over_time() by(name) | topk(1)")
    assert len(ranked) == 1


def test_a_comparison_counts_the_values_of_both_sides(store: Store) -> None:
    begin, end = tempo_moment("start", "1790000000"), tempo_moment("end", "1790000012")
    assert begin is not None and end is not None
    steps = steps_of(begin, end, tempo_length("step", "12s"))
    text = "{kind = client} | compare({status = error}, 2)"
    answer = compared_series(parse_traceql(text), steps, asked(store))
    assert answer is not None
    told: dict[tuple[str, str, str], float] = {}
    for each in answer["series"]:
        side_label, value_label = each["labels"]
        [side], [value] = side_label["value"].values(), value_label["value"].values()
        told[side, value, value_label["key"]] = sum(point["value"] for point in each["samples"])
    for side, chosen in (("selection", True), ("baseline", False)):
        spans = [
            span
            for span in SPANS
            if span["kind"] == "CLIENT" and (span["status_code"] == "ERROR") is chosen
        ]
        for service in ("shop", "stock"):
            count = sum(span["service"] == service for span in spans)
            assert told.get((side, service, "resource.service.name"), 0) == count
        names = Counter(span["name"] for span in spans)
        shown = {
            key[1]: value for key, value in told.items() if key[0] == side and key[2] == "name"
        }
        assert sorted(shown.values()) == sorted(count for _, count in names.most_common(2))
        assert told[f"{side}_total", "nil", "name"] == len(spans)
        with_n = sum(span["attributes"]["n"] is not None for span in spans)
        assert told[f"{side}_total", "nil", "span.n"] == with_n
    of_traces = parse_traceql('{kind = client} | compare({traceDuration > 5ms && rootName = "a"})')
    assert compared_series(of_traces, steps, asked(store))
    assert compared_series(parse_traceql("{} | rate()"), steps, asked(store)) is None


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}}",
        "{ name = }",
        "{ = 1 }",
        "{ frobnicate = 1 }",
        "{} | rate(duration)",
        "{} | quantile_over_time(duration)",
        "{} | quantile_over_time(duration, 2)",
        "{} | avg() > 1",
        "{ nestedSetParent = 7 }",
        "{ traceDuration > duration }",
        "{ name =~ 5 }",
        '{ name =~ "(" }',
        "{" + "!" * 5000 + "true}",
        "{ 1" + " + 1" * 2000 + " = 1 }",
        "(" * 4000 + "{}" + ")" * 4000 + "x",
        "{}" + " >> {}" * 1000,
        "{ span.x = 1 }" * 5000,
    ],
    ids=lambda text: text[:40],
)
def test_what_is_no_traceql_is_refused_and_says_why(store: Store, text: str) -> None:
    with pytest.raises(QueryError):
        found(store, text)


def test_a_long_row_of_conditions_is_one_level(store: Store) -> None:
    text = "{" + " || ".join(f"span.n = {number}" for number in range(500)) + "}"
    assert found(store, text) == matching(CONDITIONS["span.n >= 1"])


def test_parentheses_are_no_levels(store: Store) -> None:
    assert found(store, "{" + "(" * 4000 + "true" + ")" * 4000 + "}") == matching(CONDITIONS[""])


def test_fields_of_events_are_found_shown_and_listed(tmp_path: Path) -> None:
    events = [
        {"name": "start", "time_ns": START_NS + 5},
        {
            "name": "exception",
            "time_ns": START_NS + 2_000_000,
            "attributes": {"exception.message": "no stock", "exception.type": "KeyError"},
        },
    ]
    spans = [{**SPANS[0], "events": events}, {**SPANS[1], "events": []}]
    with tracestore.open(tmp_path / "store", background=False) as opened:
        opened.insert("spans", spans)
        text = (
            '{event:name = "exception" && event:timeSinceStart > 1ms} '
            "| select(event.exception.message, link:traceID)"
        )
        answer = search(parse_traceql(text), Window(), 20, 3, asked(opened))
        [trace] = answer["traces"]
        [span] = trace["spanSets"][0]["spans"]
        shown = {each["key"]: each["value"] for each in span["attributes"]}
        assert shown["exception.message"] == {"stringValue": "no stock"}
        assert found(opened, '{event.exception.type = "KeyError"}') == {SPANS[0]["span_id"]}
        assert found(opened, '{event.exception.type = "TypeError"}') == set()
        told = values_of("event.exception.message", "{}", Window(), 10, asked(opened))
        assert told == [{"type": "string", "value": "no stock"}]


def test_an_attribute_of_any_type_is_compared_with_any_value(tmp_path: Path) -> None:
    attributes = {"s": "x", "i": 1, "f": 1.5, "b": True, "l": [1, 2], "o": {"k": 1}}
    fields = [f"span.{name}" for name in (*attributes, "m", "none")] + [".f", ".m"]
    values = ["1", "1.5", '"x"', "true", "100ms", "nil", "error"]
    conditions = [
        f"{field} {operator} {value}"
        for field in fields
        for operator in ("=", ">")
        for value in values
    ]
    conditions += [f'{field} {operator} "x"' for field in fields for operator in ("=~", "!~")]
    conditions += [f"{sign}{field}" for field in fields for sign in ("", "!")]
    with tracestore.open(tmp_path / "store", background=False) as opened:
        opened.insert(
            "spans",
            [
                {"start_ns": START_NS, "attributes": {**attributes, "m": mixed}}
                for mixed in (1, "x", True, None)
            ],
        )
        matched = {text: len(found(opened, "{" + text + "}")) for text in conditions}
    assert (
        matched['span.s = "x"']
        == matched["span.i = 1"]
        == matched[".f > 1"]
        == matched["span.b"]
        == 4
    )
    assert matched["span.m = 1"] == matched['span.m = "x"'] == matched["span.m = true"] == 1
    assert matched["span.s = 1"] == matched['span.i = "x"'] == matched["span.none = nil"] - 4 == 0


def test_a_page_can_be_asked_for_by_time(tmp_path: Path) -> None:
    with tracestore.open(tmp_path / "store", background=False) as opened:
        opened.insert("spans", SPANS)
        window = Window(tempo_moment("start", "1790000003"), tempo_moment("end", "1790000005"))
        answer = search(parse_traceql("{}"), window, 20, 3, asked(opened))
        assert {trace["traceID"] for trace in answer["traces"]} == {f"{4:032x}", f"{5:032x}"}
