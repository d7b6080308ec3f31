"""`Eval`: what it runs, what becomes of what fails, and which spans it sends. How fields of spans become
columns is not asked here: spans are looked at by their attributes.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from typer.testing import CliRunner

import tracestore
from data import processes
from tracestore import Eval, Store, dataset, scorers
from tracestore.cli import app
from tracestore.client import Client, ClientError
from tracestore.evals import run as eval_run
from tracestore.evals.cases import EvalError
from tracestore.server import Server, ServerSettings

USERS_TRACER = trace.get_tracer("the user's own")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with tracestore.open(tmp_path / "store", background=False) as opened:
        yield opened


def run(store: Any, task: Any, *, data: Any = None, **options: Any) -> tracestore.EvalResult:
    rows = [{"input": n, "expected": n * 2} for n in range(6)] if data is None else data
    return Eval("p", data=rows, task=task, store=store, progress=False, summary=False, **options)


def double(value: int) -> int:
    return value * 2


def spans_of(store: Store, trace_id: str) -> list[dict[str, Any]]:
    rows = store.sql(
        "SELECT name, span_id, parent_span_id, experiment, project, status_code, attributes "
        "FROM spans WHERE trace_id = $id ORDER BY start_ns",
        {"id": trace_id},
    ).rows()
    return [{**row, "attributes": row["attributes"] or {}} for row in rows]


def fields(span: dict[str, Any]) -> dict[str, Any]:
    plain = ("tracestore.type", "tracestore.purpose", "tracestore.row_id")
    return {
        name.removeprefix("tracestore."): value if name in plain else json.loads(value)
        for name, value in span["attributes"].items()
        if name.startswith("tracestore.")
    }


def test_a_case_is_a_trace_with_the_task_and_the_scorers_below_its_root(store: Store) -> None:
    def near(output: int, expected: int) -> dict[str, Any]:
        return {"score": 1, "metadata": {"seen": [output, expected]}}

    rows = [{"id": "r", "input": {"q": 1}, "expected": 1, "metadata": {"k": 2}, "tags": ["t"]}]
    result = run(store, lambda value: value["q"], data=rows, scores=[near, scorers.exact_match])
    (case,) = result.cases
    assert (case.output, case.scores, case.error) == (1, {"near": 1.0, "exact_match": 1.0}, None)
    root, *children = spans_of(store, case.trace_id)
    assert fields(root) == {
        "type": "eval", "input": {"q": 1}, "expected": 1, "metadata": {"k": 2}, "tags": ["t"],
        "row_id": "r", "trial": 0, "output": 1, "scores": {"near": 1.0, "exact_match": 1.0},
    }  # fmt: skip
    assert root["parent_span_id"] is None
    assert {(each["project"], each["experiment"]) for each in (root, *children)} == {
        ("p", result.experiment)
    }
    task, first, _ = children
    assert {each["parent_span_id"] for each in children} == {root["span_id"]}
    assert fields(task) == {"type": "task", "input": {"q": 1}, "output": 1}
    assert fields(first) == {
        "type": "score", "purpose": "scorer", "output": {"score": 1.0}, "metadata": {"seen": [1, 1]},
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_spans_of_the_users_own_join_the_trace(store: Store, kind: str) -> None:
    def sync_task(value: int) -> int:
        with USERS_TRACER.start_as_current_span("model call"):
            return value

    async def async_task(value: int) -> int:
        with USERS_TRACER.start_as_current_span("model call"):
            await asyncio.sleep(0)
            return value

    def judge(output: int) -> float:
        with USERS_TRACER.start_as_current_span("judge's call"):
            return output / 10

    with USERS_TRACER.start_as_current_span("around"):
        task = sync_task if kind == "sync" else async_task
        result = run(store, task, scores=[judge])
    for case in result.cases:
        found = {each["name"]: each for each in spans_of(store, case.trace_id)}
        assert set(found) == {"case", task.__name__, "model call", "judge", "judge's call"}
        assert found["model call"]["parent_span_id"] == found[task.__name__]["span_id"]
        assert "tracestore.purpose" not in found["model call"]["attributes"]
        assert fields(found["judge's call"]) == {"purpose": "scorer"}


def test_a_failing_case_stops_nothing(store: Store) -> None:
    def task(value: int) -> int:
        if value == 2:
            raise ValueError("two is not for us")
        if value == 3:
            sys.exit(9)
        return value * 2

    result = run(store, task, scores=[scorers.exact_match], concurrency=1)
    assert [each.error for each in result.cases] == [
        None, None, "ValueError: two is not for us", "RuntimeError: SystemExit: 9", None, None,
    ]  # fmt: skip
    assert result.scores["exact_match"].mean == 1
    root, task_span = spans_of(store, result.failed[0].trace_id)
    assert root["status_code"] == task_span["status_code"] == "ERROR"
    assert fields(root)["error"] == {"message": "ValueError: two is not for us"}
    assert "scores" not in fields(root)


def test_a_failing_scorer_gives_no_score_and_the_others_theirs(store: Store) -> None:
    def breaks(output: int) -> float:
        raise KeyError(output)

    def says_text(output: int) -> str:
        return f"{output}"

    def has_nothing_to_say(output: int) -> None:
        del output

    given = [breaks, says_text, has_nothing_to_say, scorers.exact_match]
    result = run(store, double, scores=given)
    for case in result.cases:
        assert case.error is None
        assert case.scores == {"exact_match": 1.0}
        assert set(case.scorer_errors) == {"breaks", "says_text"}
        assert "want a number" in case.scorer_errors["says_text"]


def test_a_scorer_that_cannot_be_called_is_told_before_anything_runs(store: Store) -> None:
    ran: list[int] = []
    with pytest.raises(scorers.ScorerError, match="reference"):
        run(store, ran.append, scores=[lambda output, reference: output == reference])
    assert ran == []


def test_trials_run_each_case_several_times(store: Store) -> None:
    calls: list[int] = []

    def task(value: int) -> int:
        calls.append(value)
        return len(calls)

    def odd(output: int) -> bool:
        return output % 2 == 1

    result = run(store, task, data=[{"input": 1}], trials=4, concurrency=1, scores=[odd])
    assert calls == [1, 1, 1, 1]
    assert [each.case.trial for each in result.cases] == [0, 1, 2, 3]
    assert result.scores["odd"].mean == 0.5


def test_a_task_that_fails_is_tried_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eval_run, "RETRY_WAIT_S", 0)
    tries: dict[int, int] = {}

    def task(value: int) -> int:
        tries[value] = tries.get(value, 0) + 1
        if tries[value] <= value:
            raise ConnectionError
        return value

    result = run(store, task, retries=2)
    assert tries == {0: 1, 1: 2, 2: 3, 3: 3, 4: 3, 5: 3}
    assert sorted(each.case.input for each in result.failed) == [3, 4, 5]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_task_that_takes_too_long_is_a_failed_case(store: Store, kind: str) -> None:
    never = threading.Event()

    async def waits(value: int) -> None:
        if value == 1:
            await asyncio.Event().wait()

    def blocks(value: int) -> None:
        if value == 1:
            never.wait()

    result = run(store, waits if kind == "async" else blocks, timeout_s=0.2)
    never.set()
    assert [each.case.input for each in result.failed] == [1]
    assert "timeout_s" in str(result.failed[0].error)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_as_many_cases_as_asked_for_are_under_way_at_once(store: Store, kind: str) -> None:
    together = threading.Barrier(4)
    waiting: list[asyncio.Event] = []

    def blocks(value: int) -> None:  # noqa: ARG001
        together.wait(processes.HANG_S)

    async def waits(value: int) -> None:  # noqa: ARG001
        waiting.append(asyncio.Event())
        if len(waiting) == 4:
            for each in waiting:
                each.set()
        await asyncio.wait_for(waiting[-1].wait(), processes.HANG_S)

    data = [{"input": n} for n in range(4)]
    result = run(store, waits if kind == "async" else blocks, data=data, concurrency=4)
    assert result.failed == []


def test_data_may_be_an_iterator_a_function_or_a_dataset(store: Store) -> None:
    store.datasets.add("d", [{"id": str(n), "input": n} for n in range(3)], project="p")
    store.datasets.snapshot("d", "first", project="p")
    store.datasets.add("d", [{"id": "9", "input": 9}], project="p")
    lazily = ({"input": n} for n in range(4))
    for data, inputs in [
        (lazily, [0, 1, 2, 3]),
        (lambda: [{"input": "made"}], ["made"]),
        (dataset("d"), [0, 1, 2, 9]),
        (dataset("d", 1), [0, 1, 2]),
        (dataset("d", "first"), [0, 1, 2]),
    ]:
        result = run(store, lambda value: value, data=data, concurrency=1)
        assert [each.case.input for each in result.cases] == inputs
    (record,) = [each for each in store.experiments.list() if each.name == result.experiment]
    assert (record.dataset, record.dataset_version) == ("d", 1)
    for wrong in (dataset("e"), dataset("d", "second")):
        with pytest.raises(EvalError, match="cannot run eval: project 'p' has no"):
            run(store, double, data=wrong)


@pytest.mark.parametrize(
    ("row", "message"), [({"expected": 1}, "no input"), ({"input": 1, "question": 2}, "question")]
)
def test_a_row_that_is_no_case_is_told(store: Store, row: dict[str, Any], message: str) -> None:
    with pytest.raises(EvalError, match=f"row 1 of the data: .*{message}"):
        run(store, lambda value: value, data=[{"input": 1}, row])


def test_names_do_not_collide_and_the_last_run_is_the_base(store: Store) -> None:
    names = [run(store, double, experiment="tuned").experiment for _ in range(3)]
    assert names == ["tuned", "tuned-2", "tuned-3"]
    bases = {each.name: each.base for each in store.experiments.list(["p"])}
    assert bases == {"tuned": None, "tuned-2": "tuned", "tuned-3": "tuned-2"}
    assert run(store, double, base="tuned").base == "tuned"
    recorded = run(store, double, metadata={"model": "m"}, git_commit="abc").experiment
    (record,) = [each for each in store.experiments.list() if each.name == recorded]
    assert (record.metadata, record.git_commit) == ({"model": "m"}, "abc")


def test_it_runs_inside_of_a_running_loop(store: Store) -> None:
    async def around() -> tracestore.EvalResult:
        return run(store, double, scores=[scorers.exact_match])

    assert asyncio.run(around()).scores["exact_match"].mean == 1


def test_a_task_may_see_what_was_expected(store: Store) -> None:
    def cheats(value: int, expected: int) -> int:  # noqa: ARG001
        return expected

    assert run(store, cheats, scores=[scorers.exact_match]).scores["exact_match"].mean == 1


@pytest.mark.parametrize(
    "options", [{"concurrency": 0}, {"trials": 0}, {"retries": -1}, {"url": "http://x"}]
)
def test_what_cannot_be_run_is_told(store: Store, options: dict[str, Any]) -> None:
    with pytest.raises(EvalError, match="cannot run eval"):
        run(store, double, **options)


def test_an_eval_without_a_store_says_how_to_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACESTORE_URL", raising=False)
    with pytest.raises(EvalError, match="give url= or store=, set TRACESTORE_URL"):
        Eval("p", data=[], task=double)


# --- sending ----------------------------------------------------------------------------------------


class Flaky:
    """A store that refuses requests as told."""

    def __init__(self, store: Store, refusals: int, status: int) -> None:
        self._store = store
        self._refusals = refusals
        self._status = status

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def ingest_otlp(self, *arguments: Any, **options: Any) -> Any:
        if self._refusals:
            self._refusals -= 1
            raise ClientError(self._status, {"detail": "not now"}, "")
        return self._store.ingest_otlp(*arguments, **options)


def test_a_busy_server_is_asked_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    result = run(Flaky(store, 3, 503), double)
    assert all(spans_of(store, each.trace_id) for each in result.cases)


def test_spans_that_cannot_be_stored_are_an_error(store: Store) -> None:
    with pytest.raises(EvalError, match=r"cannot store all of experiment 'e': .* not now"):
        run(Flaky(store, 100, 400), double, experiment="e")


def test_large_cases_are_sent_in_several_requests(store: Store) -> None:
    data = [{"input": "x" * 3_000_000} for _ in range(6)]
    result = run(store, len, data=data)
    assert all(len(spans_of(store, each.trace_id)) == 2 for each in result.cases)


def test_over_http_it_is_the_same(tmp_path: Path) -> None:
    settings = ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1)
    with Server(settings) as server, Client(server.url) as client:
        client.datasets.add("d", [{"input": n, "expected": n * 2} for n in range(5)], project="p")
        result = Eval(
            "p",
            experiment="e",
            data=dataset("d"),
            task=double,
            scores=[scorers.exact_match],
            url=server.url,
            progress=False,
            summary=False,
        )
        assert result.scores["exact_match"].mean == 1
        rows = client.sql("SELECT count(*) AS n FROM experiment('e', 'p') WHERE is_root").rows()
        assert rows == [{"n": 5}]
        assert [each["name"] for each in client.experiments.list()] == ["e"]


# --- Ctrl-C and the command line --------------------------------------------------------------------

INTERRUPTED = """
import os, signal, sys, threading
import tracestore

# Whoever starts the tests in the background may have told their processes to ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)

def task(input):
    if input == 5:
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait()
    return input

with tracestore.open(sys.argv[1]) as store:
    result = tracestore.Eval("p", experiment="e", data=({"input": n} for n in range(1000)),
                             task=task, scores=[lambda output: 1], store=store, concurrency=1)
    roots = store.sql("SELECT count(*) AS n FROM experiment('e') WHERE is_root").rows()
    print("INTERRUPTED", result.interrupted, len(result.cases), roots)
"""


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-c", INTERRUPTED, str(tmp_path / "store")]
    done = processes.run(command, check=True)
    assert "INTERRUPTED True 5 [{'n': 5}]" in done.stdout


FILE = """
from tracestore import Eval
from neighbour import right
Eval("p", experiment="file", data=[{"input": n, "expected": 2 * n} for n in range(4)],
     task=lambda input: input * 2 if input else 1, scores=[right])
"""


@pytest.mark.parametrize(
    ("bounds", "status", "told"),
    [
        ([], 0, ""),
        (["right=0.75"], 0, ""),
        (["right=0.8"], 1, "right is 0.750; want 0.8 or more"),
        (["wrong=0.1"], 1, "no eval has a score wrong"),
        (["right"], 2, "want a score and a number"),
    ],
)
def test_files_run_and_bounds_give_the_status(
    tmp_path: Path, bounds: list[str], status: int, told: str
) -> None:
    (tmp_path / "eval_it.py").write_text(FILE)
    (tmp_path / "neighbour.py").write_text("def right(output, expected): return output == expected")
    options = [each for bound in bounds for each in ("--fail-under", bound)]
    sys.modules.pop("neighbour", None)
    data = str(tmp_path / "store")
    done = CliRunner().invoke(
        app,
        ["eval", str(tmp_path / "eval_it.py"), "--data", data, *options],
        env={"COLUMNS": "200"},
    )
    assert done.exit_code == status, done.output
    assert told in done.stderr
    if status != 2:
        assert "right" in done.stdout
        assert "0.750" in done.stdout


FAILING = """
from tracestore import Eval
def task(n):
    if n == 0:
        raise ValueError("zero")
    return n
def right(output, expected):
    if output == 1:
        raise ValueError("one")
    return 1.0
Eval("p", experiment="file", data=[{"input": n} for n in range(4)], task=task, scores=[right])
"""


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ([], 0),
        (["--fail-under", "right=0.5"], 1),
        (["--fail-under", "right=0.5", "--max-failures", "1"], 1),
        (["--fail-under", "right=0.5", "--max-failures", "2"], 0),
        (["--max-failures", "0"], 1),
    ],
)
def test_cases_and_scorers_that_fail_count_as_such(
    tmp_path: Path, options: list[str], status: int
) -> None:
    (tmp_path / "eval_it.py").write_text(FAILING)
    arguments = ["eval", str(tmp_path / "eval_it.py"), "--data", str(tmp_path / "store")]
    done = CliRunner().invoke(app, [*arguments, *options], env={"COLUMNS": "200"})
    assert done.exit_code == status, done.output
    told = "1 of 4 trials failed, and scorers failed in 1"
    assert (told in done.stderr) == (status == 1)


def test_a_file_without_an_eval_is_told(tmp_path: Path) -> None:
    (tmp_path / "nothing.py").write_text("x = 1")
    data = str(tmp_path / "store")
    done = CliRunner().invoke(app, ["eval", str(tmp_path / "nothing.py"), "--data", data])
    assert (done.exit_code, "no file called Eval" in done.stderr) == (2, True)
