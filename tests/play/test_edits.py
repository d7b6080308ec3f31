"""Changes of single places of a play: the last wins at its place, and whatever is sent the play stays one."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from play.plays import column, typed
from tracestore.errors import PlayError
from tracestore.play.runs import viewers
from tracestore.play.runs.body import play_of
from tracestore.play.runs.edits import Edit, apply
from tracestore.play.runs.viewers import Viewers

BODY: dict[str, Any] = {
    "rows": typed("a"),
    "columns": {"a": {**column(), "experiment": "e", "key": "k"}},
    "order": ["a"],
}


def edited(*edits: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    body = copy.deepcopy(BODY)
    return body, apply(body, [Edit(**each) for each in edits])


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (["columns", "a", "model"], "m", ["columns", "a", "model"]),
        (["columns", "a", "parameters", "top_p"], 1, ["columns", "a", "parameters", "top_p"]),
        (["columns", "a", "messages", 2], {"role": "user"}, ["columns", "a", "messages", 2]),
        (["columns", "b"], {"name": "B"}, ["columns", "b"]),
        (["rows", "items", "r0", "input", "question"], "new", ["rows", "items", "r0", "input", "question"]),
        (["scorers"], ["exact_match"], ["scorers"]),
    ],
)  # fmt: skip
def test_a_change_is_at_its_place(path: list[Any], value: Any, place: list[Any]) -> None:
    body, ignored = edited({"path": path, "value": value})
    assert ignored == []
    found: Any = body
    for key in place:
        found = found[key]
    assert found == value
    play_of(body)


@pytest.mark.parametrize(
    "path",
    [
        ["columns", "z", "model"],
        ["rows", "items", "r9", "input"],
        ["columns", "a", "messages", 5],
        ["columns", "a", "messages", "x"],
        ["columns", "a", "model", "x"],
        ["columns", "a", "experiment"],
        ["columns", "a", "key"],
        ["columns", 0],
    ],
)
def test_a_place_that_is_gone_or_the_servers_own_is_left(path: list[Any]) -> None:
    body, ignored = edited({"path": path, "value": "x"})
    assert (body, ignored) == (BODY, [0])


def test_a_column_that_is_put_whole_keeps_its_run() -> None:
    body, _ = edited({"path": ["columns", "a"], "value": {"name": "new", "experiment": "other"}})
    assert body["columns"]["a"] == {"name": "new", "experiment": "e", "key": "k"}
    body, _ = edited({"path": ["columns"], "value": {"a": {}, "b": {"key": "x"}}})
    assert body["columns"] == {"a": {"experiment": "e", "key": "k"}, "b": {}}


def test_what_is_deleted_is_gone() -> None:
    body, ignored = edited(
        {"path": ["columns", "a", "messages", 0], "delete": True},
        {"path": ["columns", "a"], "delete": True},
        {"path": ["columns", "a"], "delete": True},
    )
    assert (body["columns"], ignored) == ({}, [2])


KEYS = st.sampled_from(
    ["columns", "a", "messages", "content", "rows", "items", "r0", "order", 0, 1, -1]
)
VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS.map(str), inner, max_size=2),
    max_leaves=5,
)
EDITS: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict, path=st.lists(KEYS, min_size=1, max_size=5), value=VALUES, delete=st.booleans()
)


@given(st.lists(EDITS, max_size=6))
def test_any_changes_make_a_play_or_are_refused(edits: list[dict[str, Any]]) -> None:
    body, ignored = edited(*edits)
    assert set(ignored) <= set(range(len(edits)))
    try:
        play = play_of(body)
    except PlayError:
        return
    assert play_of(play.stored()) == play


def test_a_viewer_that_is_too_slow_gets_the_state_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewers, "MAX_WAITING", 3)

    async def watch() -> list[str]:
        seen = Viewers()

        async def state() -> str:
            return "all"

        names = []
        events = seen.watched(state)
        names.append((await anext(events))[0])
        for number in range(10):
            seen.publish(f"e{number}", None)
        names += [(await anext(events))[0] for _ in range(4)]
        seen.publish("after", None)
        names.append((await anext(events))[0])
        seen.end()
        names += [name async for name, _ in events]
        return names

    assert asyncio.run(watch()) == ["state", "e0", "e1", "e2", "state", "after"]
