"""Whatever is patched, flushed, merged, reopened and deleted in whatever order, every query shows what a dict would."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

import tracestore
from data.stores import span
from tracestore import Store

SPANS = 6

numbers = st.one_of(st.booleans(), st.integers(-5, 5), st.sampled_from([0.25, 0.75, -1.5]))
scalars = st.one_of(numbers, st.sampled_from(["", "x", "é", 'a"b']))
names = st.sampled_from(["a", "b", "with.dot", 'q"'])
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(names, inner, min_size=1, max_size=3)
    ),
    max_leaves=5,
)
metadata = st.dictionaries(names, st.one_of(st.none(), values), min_size=1, max_size=3)
tags = st.lists(st.sampled_from(["t", "u", "v"]), min_size=1, max_size=3)
changes = st.one_of(
    st.fixed_dictionaries(
        {"scores": st.dictionaries(names, st.one_of(st.none(), numbers), min_size=1, max_size=2)}
    ),
    st.fixed_dictionaries({"metadata": metadata}),
    st.fixed_dictionaries({"metadata": metadata, "_is_merge": st.just(False)}),
    st.fixed_dictionaries({"tags": tags}),
    st.fixed_dictionaries({"expected": values}),
    st.just({"expected": None}),
    st.fixed_dictionaries({"comment": st.sampled_from(["good", "bad"])}),
    st.fixed_dictionaries({"scores": st.just({"a": 1}), "tags": tags, "expected": scalars}),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("patch"), st.integers(0, SPANS - 1), changes),
        st.tuples(st.just("patch"), st.integers(0, SPANS - 1), changes),
        st.tuples(st.just("insert"), st.integers(0, SPANS - 1), st.just(None)),
        st.tuples(st.sampled_from(["flush", "compact", "reopen", "ask"]), st.just(0), st.none()),
    ),
    max_size=14,
)


def first(number: int) -> dict[str, Any]:
    """Returns what a span says when it comes: each another shape."""
    shapes: list[dict[str, Any]] = [
        {},
        {"scores": {"a": 0.5}, "tags": ["t"]},
        {"scores": {"a": 1, "b": 0.25}, "metadata": {"a": {"b": 1}}},
        {"metadata": {"a": "text", "comments": "none"}, "expected": "e"},
        {"tags": ["v", "w"], "expected": {"a": [1, 2]}},
        {"scores": {"a": True}, "metadata": {"with.dot": [1]}, "expected": 3},
    ]
    return copy.deepcopy(shapes[number % len(shapes)])


def merged(old: Any, new: Any) -> Any:
    """Is JSON merge patch as its RFC has it, in the RFC's own words."""
    if not isinstance(new, dict):
        return new
    if not isinstance(old, dict):
        old = {}
    old = dict(old)
    for name, value in new.items():
        if value is None:
            old.pop(name, None)
        else:
            old[name] = merged(old.get(name), value)
    return old


def change_twin(row: dict[str, Any], change: dict[str, Any]) -> None:
    for name in ("scores", "metadata"):
        if name in change:
            row[name] = merged(row.get(name) if "_is_merge" not in change else {}, change[name])
    for tag in change.get("tags", []):
        row.setdefault("tags", [])
        if tag not in row["tags"]:
            row["tags"].append(tag)
    if "expected" in change:
        row["expected"] = change["expected"]
    if "comment" in change:
        row["metadata"] = merged(row.get("metadata"), {})
        kept = row["metadata"].get("comments")
        kept = kept if isinstance(kept, list) else []
        row["metadata"]["comments"] = [*kept, change["comment"]]


def check(store: Store, twin: dict[int, dict[str, Any]]) -> None:
    wanted = [
        {"span_id": span(n)["span_id"]}
        | {name: twin[n].get(name) for name in ("scores", "metadata", "tags", "expected")}
        for n in sorted(twin)
    ]
    found = store.sql(
        "SELECT span_id, scores, metadata, tags, expected FROM spans ORDER BY span_id"
    ).rows()
    for row in found:
        comments = (row["metadata"] or {}).get("comments")
        if isinstance(comments, list):
            row["metadata"]["comments"] = [each["text"] for each in comments]
    assert same(found, wanted)
    scores = [row.get("scores", {}).get("a") for row in twin.values()]
    plain = [each for each in scores if isinstance(each, int | float) and each is not True]
    plain = [each for each in plain if each is not False]
    (sums,) = store.sql(
        "SELECT count(*) FILTER (WHERE scores.a > 0.3) AS n,"
        # A path of booleans alone is a BOOLEAN, of which the engine's sum counts the true ones.
        " sum(scores.a) FILTER (WHERE typeof(scores.a) <> 'bool') AS s,"
        " count(*) FILTER (WHERE scores IS NOT NULL) AS present FROM spans"
    ).rows()
    assert sums["n"] == sum(each > 0.3 for each in plain)
    assert (sums["s"] or 0) == sum(plain)
    assert sums["present"] == sum("scores" in row for row in twin.values())
    below = "SELECT count(*) AS n FROM spans WHERE scores.a > 0.3"
    assert store.sql(below).rows() == [{"n": sums["n"]}]
    kinds = store.sql("SELECT typeof(expected) AS t, count(*) AS n FROM spans GROUP BY 1").rows()
    assert sum(each["n"] for each in kinds) == len(twin)


def same(left: Any, right: Any) -> bool:
    """Compares JSON values; a number and a boolean are never equal."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


@given(told=steps)
@example(told=[("insert", 5, None)])
@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
def test_a_store_of_patches_is_a_dict(told: list[tuple[str, int, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder) / "store", told)


def run(folder: Path, told: list[tuple[str, int, Any]]) -> None:
    store = tracestore.open(folder, background=False, durability="async")
    twin: dict[int, dict[str, Any]] = {}
    early: dict[int, list[dict[str, Any]]] = {}
    try:
        for step, number, change in [*told, ("ask", 0, None), ("fold", 0, None), ("ask", 0, None)]:
            made = span(number)
            if step == "patch":
                store.patch({key: made[key] for key in ("trace_id", "span_id")} | change)
                if number in twin:
                    change_twin(twin[number], change)
                else:
                    early.setdefault(number, []).append(change)
            elif step == "insert" and number not in twin:
                store.insert("spans", [{**made, **first(number)}])
                twin[number] = first(number)
                for each in early.pop(number, []):
                    change_twin(twin[number], each)
            elif step == "flush":
                store.flush()
            elif step == "compact":
                store.compact(full=True)
            elif step == "fold":
                store.flush()
                store.compact(full=True)
                left = store._core.patches.count
                assert left == sum(map(len, early.values()))
            elif step == "reopen":
                store.close()
                store = tracestore.open(folder, background=False, durability="async")
            elif step == "ask":
                check(store, twin)
    finally:
        store.close()
