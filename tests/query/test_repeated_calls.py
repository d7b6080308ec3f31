"""A model call that two instrumentations see counts once: in `traces`, and by the page's query over `spans`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest

import tracestore
from data.stores import STATES, build

PAGE: Final = Path(__file__).parents[2] / "docs" / "guide" / "conventions.md"
START_NS: Final = 1_790_000_000_000_000_000
USAGE: Final = {"prompt_tokens": 21, "completion_tokens": 9, "tokens": 30}


def call(
    number: int,
    parent: int | None = None,
    *,
    trace: int = 1,
    at: tuple[int, int] = (0, 10),
    scope: str = "outer",
    usage: dict[str, Any] | None = USAGE,
    **more: Any,
) -> dict[str, Any]:
    """Returns a span that begins and ends at seconds."""
    row: dict[str, Any] = {
        "trace_id": f"{trace:032x}",
        "span_id": f"{number:016x}",
        "parent_span_id": None if parent is None else f"{parent:016x}",
        "name": "call",
        "type": "llm",
        "scope_name": scope,
        "start_ns": START_NS + at[0] * 10**9,
        "duration_ns": (at[1] - at[0]) * 10**9,
        **more,
    }
    return row if usage is None else {**row, "metrics": usage}


def tokens(count: int) -> dict[str, int]:
    return {"prompt_tokens": count - 9, "completion_tokens": 9, "tokens": count}


INSIDE: Final[dict[str, Any]] = {"at": (1, 9), "scope": "inner"}
CASES: Final[dict[str, tuple[list[dict[str, Any]], list[int | None]]]] = {
    "below": ([call(1), call(2, 1, **INSIDE)], [30]),
    "below below": ([call(1), call(2, 1, at=(1, 9)), call(3, 2, **INSIDE)], [30]),
    "below a chain": ([call(1), call(2, 1, usage=None), call(3, 2, **INSIDE)], [30]),
    "two below one that reports their sum": (
        [call(1, usage=tokens(60)), call(2, 1, **INSIDE), call(3, 1, **INSIDE)],
        [60],
    ),
    "two below one that reports the last": (
        [call(1), call(2, 1, at=(1, 4), scope="inner"), call(3, 1, at=(5, 9), scope="inner")],
        [60],
    ),
    "below one that reports less": (
        [call(1, usage={"tokens": 3}), call(2, 1), call(3, 1, at=(11, 12))],
        [60],
    ),
    "in one trace, side by side": (
        [call(1, usage=None), call(2, 1), call(3, 1, **INSIDE)],
        [30],
    ),
    "in two traces": ([call(1), call(2, trace=2, **INSIDE)], [30, None]),
    "in two traces, below a chain": (
        [call(1, usage=None), call(2, 1), call(3, trace=2, **INSIDE)],
        [30, None],
    ),
    "in two traces, without an answer": (
        [
            call(1, usage={"prompt_tokens": 8, "tokens": 8}),
            call(2, trace=2, usage={"prompt_tokens": 8, "tokens": 8}, **INSIDE),
        ],
        [8, None],
    ),
    "in two traces, begun at one time": (
        [call(1), call(2, trace=2, at=(0, 9), scope="inner")],
        [None, 30],
    ),
    "while a longer one was begun before a shorter one": (
        [
            call(1, at=(0, 20)),
            call(2, trace=2, at=(5, 6)),
            call(3, trace=3, at=(10, 11), scope="inner"),
        ],
        [30, 30, None],
    ),
    # These are calls of their own.
    "one after the other": ([call(1), call(2, trace=2, at=(11, 12), scope="inner")], [30, 30]),
    "at once, by one instrumentation": ([call(1), call(2, trace=2, at=(1, 9))], [30, 30]),
    "at once, with another prompt": (
        [call(1), call(2, trace=2, at=(1, 9), scope="inner", usage=tokens(31))],
        [30, 31],
    ),
    "at once, with another answer": (
        [
            call(1),
            call(2, trace=2, at=(1, 9), scope="inner", usage={**USAGE, "completion_tokens": 90}),
        ],
        [30, 30],
    ),
    "of which one counts a token of the stream twice": (
        [
            call(1, usage={"prompt_tokens": 21, "completion_tokens": 10, "tokens": 31}),
            call(2, trace=2, **INSIDE),
        ],
        [31, None],
    ),
    "at once, of another service": (
        [call(1), call(2, trace=2, service="other", **INSIDE)],
        [30, 30],
    ),
    "at once, of another provider": (
        [
            call(1, metadata={"provider": "openai"}),
            call(2, trace=2, metadata={"provider": "anthropic"}, **INSIDE),
        ],
        [30, 30],
    ),
    "at once, inside of another trace": (
        [call(1), call(2, trace=2, usage=None), call(3, 2, trace=2, **INSIDE)],
        [30, 30],
    ),
    "its own parent": ([call(1, 1)], [30]),
}


@pytest.fixture(scope="module")
def query() -> str:
    """Returns the query that the page gives for `spans`."""
    blocks = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    [sql] = [block for block in blocks if "repeated_calls" in block]
    return str(sql)


@pytest.mark.parametrize("case", CASES)
def test_a_call_counts_once(tmp_path: Path, query: str, case: str) -> None:
    rows, wanted = CASES[case]
    with tracestore.open(tmp_path / "store", background=False) as store:
        store.insert("spans", rows)
        by_trace = store.sql("SELECT tokens::BIGINT AS tokens FROM traces ORDER BY trace_id").rows()
        assert [row["tokens"] for row in by_trace] == wanted
        counted = sum(int(row["tokens"] or 0) for row in store.sql(query).rows())
        assert counted == sum(count or 0 for count in wanted)


@pytest.mark.parametrize("state", STATES)
def test_it_counts_once_in_every_state(tmp_path: Path, state: str) -> None:
    rows = [call(1), call(2, 1, **INSIDE), call(3, trace=2, **INSIDE)]
    with build(tmp_path / "store", state, {"spans": rows}) as store:
        [row] = store.sql("SELECT sum(tokens) AS tokens FROM traces").rows()
        assert int(row["tokens"]) == 30


def test_each_metric_counts_where_it_is_reported(tmp_path: Path) -> None:
    rows = [
        call(1, usage={"aggregated": USAGE}),
        call(2, 1, usage={**USAGE, "estimated_cost": 0.5}),
        # The same call below, which knows no cost; and another one beside it, which reports one of them alone.
        call(3, 2, **INSIDE),
        call(4, 1, usage={"tokens": 7}),
        call(5, trace=2),
        call(6, 5, trace=2, usage={**USAGE, "estimated_cost": 0.25}, **INSIDE),
    ]
    with tracestore.open(tmp_path / "store", background=False) as store:
        store.insert("spans", rows)
        names = ("prompt_tokens", "completion_tokens", "tokens", "estimated_cost")
        found = store.sql(f"SELECT {', '.join(names)} FROM traces ORDER BY trace_id").rows()
        assert [[float(row[name]) for name in names] for row in found] == [
            [21, 9, 37, 0.5],
            [21, 9, 30, 0.25],
        ]
        repeated = store.sql("SELECT * EXCLUDE (project, trace_id) FROM repeated_calls").rows()
        by_id = {int(row.pop("span_id"), 16): row for row in repeated}
        assert by_id == {
            3: {"prompt_tokens": True, "completion_tokens": True, "tokens": True, "estimated_cost": False},
            6: {"prompt_tokens": True, "completion_tokens": True, "tokens": True, "estimated_cost": False},
        }  # fmt: skip


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT {names} FROM traces",
        "SELECT t.* FROM traces AS t",
        "FROM traces",
        "SELECT COLUMNS('.*') FROM traces",
        "WITH each AS (SELECT * FROM traces) SELECT * FROM each",
        "SELECT * FROM (SELECT * FROM traces)",
        "TABLE traces",
    ],
)
def test_however_it_is_asked(tmp_path: Path, sql: str) -> None:
    names = "trace_id, name, span_count, prompt_tokens, completion_tokens, tokens, estimated_cost"
    with tracestore.open(tmp_path / "store", background=False) as store:
        store.insert("spans", [call(1), call(2, 1, **INSIDE)])
        [row] = store.sql(sql.format(names=names)).rows()
        assert int(row["tokens"]) == 30
        [counted] = store.sql("SELECT count(*) AS n, min(span_count) AS spans FROM traces").rows()
        assert counted == {"n": 1, "spans": 2}
