"""A run that one can act on: what it is compared with, what got worse, what scorers gave, how long tasks took."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tracestore
from tracestore import Eval, Store, dataset
from tracestore.cli.commands.ask.experiments import LISTED
from tracestore.evals import EvalResult
from tracestore.evals.run import run_cases
from tracestore.server import Server, ServerSettings


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with tracestore.open(tmp_path / "store", background=False) as opened:
        yield opened


def run(store: Any, data: Any, *, task: Any = str, **options: Any) -> EvalResult:
    return Eval("p", data=data, task=task, store=store, progress=False, **options)


def rows(*inputs: Any) -> list[dict[str, Any]]:
    return [{"input": value} for value in inputs]


def one() -> float:
    return 1.0


def test_the_base_is_the_last_whole_run_on_the_same_dataset(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    store.datasets.add("d", rows(1, 2, 3), project="p")
    store.datasets.add("other", rows(7, 8), project="p")
    for name in ("a", "b"):
        run(store, dataset("d"), scores=[one], experiment=name)
    run(store, dataset("other"), scores=[one], experiment="c")
    result = run(store, dataset("d"), scores=[one], experiment="e")
    assert (result.base, result.base_reason) == ("b", "the last run on dataset d")
    assert "against b: the last run on dataset d" in capsys.readouterr().out
    assert {each.name: each.base for each in store.experiments.list()} == {
        "a": None,
        "b": "a",
        "c": None,
        "e": "b",
    }


def test_without_a_dataset_the_base_shares_inputs(store: Store) -> None:
    run(store, rows(1, 2), scores=[one], experiment="same")
    run(store, rows(8, 9), scores=[one], experiment="others")
    result = run(store, rows(2, 3), scores=[one], experiment="e")
    assert result.base == "same"
    assert result.base_reason == "the last run that shares inputs, 1 of them"
    assert run(store, rows(77), scores=[one]).base is None
    assert run(store, rows(77), scores=[one], base="others").base == "others"


def test_a_run_that_was_stopped_is_no_base_and_says_so(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(store, rows(1, 2), scores=[one], experiment="whole")

    def stopped(*given: Any) -> Any:
        outcome = run_cases(*given)
        outcome.interrupted = True
        return outcome

    monkeypatch.setattr("tracestore.evals.run_cases", stopped)
    run(store, rows(1, 2), scores=[one], experiment="stopped")
    assert "stopped (interrupted)" in capsys.readouterr().out
    monkeypatch.undo()

    def killed(*_given: Any) -> Any:
        raise RuntimeError("killed")

    monkeypatch.setattr("tracestore.evals.run_cases", killed)
    with pytest.raises(RuntimeError):
        run(store, rows(1, 2), scores=[one], experiment="killed")
    monkeypatch.undo()
    states = {each.name: each.metadata.get("eval") for each in store.experiments.list()}
    assert states == {
        "whole": None,
        "stopped": {"state": "interrupted"},
        "killed": {"state": "running"},
    }
    listed = store.sql(LISTED, {"project": "p", "most": 9}).rows()
    assert {row["name"]: row["state"] for row in listed} == {
        "whole": "done",
        "stopped": "interrupted",
        "killed": "running",
    }
    assert run(store, rows(1, 2), scores=[one]).base == "whole"


def test_the_worst_regressions_say_what_came_in_and_out(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    def score(output: str) -> float:
        return float(output.split(":")[1])

    data = rows(*(f"question {n}" for n in range(8)))
    run(store, data, task=lambda text: f"{text}:1.0", scores=[score], experiment="before")
    result = run(
        store,
        data,
        task=lambda text: f"[bold]{text}:{int(text[-1]) / 10}",
        scores=[score],
        experiment="after",
    )
    assert [case.input for case in result.regressions] == [f"question {n}" for n in range(5)]
    first = result.regressions[0]
    assert (first.falls, first.before) == ((("score", 1.0, 0.0),), "question 0:1.0")
    shown = capsys.readouterr().out
    for text in ("score 1.00 → 0.00", "question 0", "question 0:1.0", "[bold]question 0:0.0"):
        assert text in shown
    assert f"tracestore trace {first.trace_id} --data" in shown
    assert "tracestore compare before after --project p --cases 100 --data" in shown
    assert "<table>" in result._repr_html_()
    assert "question 0:1.0" in result._repr_html_()


def test_over_http_a_regression_links_to_its_page(tmp_path: Path) -> None:
    settings = ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1)
    with Server(settings) as server:
        for name, value in (("before", 1.0), ("after", 0.5)):
            result = Eval(
                "my project",
                experiment=name,
                data=rows("x"),
                task=str,
                scores=[lambda value=value: value],
                url=server.url,
                progress=False,
            )
        (regression,) = result.regressions
        assert regression.link == f"{server.url}/p/my%20project/trace/{regression.trace_id}"


class Score:
    """A score as autoevals gives it."""

    def __init__(self, name: str, score: float | None, error: Exception | None = None) -> None:
        self.name = name
        self.score = score
        self.metadata = {"why": "so"}
        self.error = error


class Levenshtein:
    """A scorer in the manner of autoevals: a class, called with whatever there is."""

    def _name(self) -> str:
        return "Levenshtein"

    def __call__(self, output: Any, expected: Any = None, **_more: Any) -> Score:
        return Score("Levenshtein", float(output == expected))


def test_scorers_of_every_kind_are_taken(store: Store) -> None:
    async def later() -> list[Any]:
        await asyncio.sleep(0)
        return [{"name": "first", "score": 0.5}, Score("second", 0.25), 0.75]

    def broken() -> Score:
        return Score("broken", None, ValueError("no model"))

    result = run(
        store,
        [{"input": 1, "expected": "1"}],
        scores=[lambda: 1, later, Levenshtein, Levenshtein(), lambda: 0, broken],
    )
    (case,) = result.cases
    assert case.scores == {
        "scorer_1": 1.0,
        "first": 0.5,
        "second": 0.25,
        "later_3": 0.75,
        "Levenshtein": 1.0,
        "scorer_5": 0.0,
    }
    assert list(case.scorer_errors) == ["broken"]
    assert "no model" in case.scorer_errors["broken"]


def test_scores_that_are_no_numbers_or_out_of_bounds_are_kept_and_marked(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    values = [math.nan, 0.5, 7.0, -1.0]
    result = run(store, rows(0, 1, 2, 3), task=int, scores=[lambda output: values[output]])
    assert result.scores["scorer_1"].mean == pytest.approx(6.5 / 3)
    assert (result.scores["scorer_1"].not_numbers, result.scores["scorer_1"].outside) == (1, 2)
    shown = capsys.readouterr().out
    assert "score scorer_1: 1 values are no numbers and in no mean" in shown
    assert "score scorer_1: 2 values are outside of 0 to 1" in shown
    stored = store.sql(
        "SELECT scores.scorer_1::VARCHAR AS score FROM spans WHERE is_root ORDER BY input"
    ).rows()
    assert [row["score"] for row in stored] == ["nan", "0.5", "7.0", "-1.0"]


def test_trials_show_how_far_they_lie_apart(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    given = iter([0.0, 1.0, 0.5, 0.5])
    lock = threading.Lock()

    def next_of() -> float:
        with lock:
            return next(given)

    result = run(store, rows("a", "b"), trials=2, concurrency=1, scores=[next_of])
    assert result.scores["next_of"].spread == 0.5
    assert "spread" in capsys.readouterr().out
    assert run(store, rows("a"), scores=[one]).scores["one"].spread is None


def test_a_duration_is_the_tasks_own(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]
    monkeypatch.setattr("tracestore.evals.calling.time.perf_counter", lambda: now_s[0])
    tries = iter(range(100))

    def task(value: Any) -> Any:
        now_s[0] += 1
        if next(tries) % 2 == 0:
            now_s[0] += 1000
            raise ValueError("once more")
        return value

    def slow_scorer() -> float:
        now_s[0] += 1000
        return 1.0

    monkeypatch.setattr("tracestore.evals.run.RETRY_WAIT_S", 0)
    options: dict[str, Any] = {"task": task, "scores": [slow_scorer], "retries": 1}
    run(store, rows(1, 2), experiment="before", concurrency=1, **options)
    result = run(store, rows(1, 2), experiment="after", concurrency=1, **options)
    assert [case.duration_s for case in result.cases] == [1, 1]
    # What is stored are spans: of each case its last try counts.
    tries_of = store.sql(
        "SELECT arg_max(duration, start_ns) AS seconds FROM spans "
        "WHERE type = 'task' AND experiment = 'after' GROUP BY trace_id"
    )
    assert result.compared is not None
    _, after = result.compared["experiments"]
    assert after["metrics"]["duration"]["sum"] == pytest.approx(
        sum(row["seconds"] for row in tries_of)
    )
