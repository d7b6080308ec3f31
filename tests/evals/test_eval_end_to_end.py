"""The whole loop on real traces, against a server in another process: traces, a dataset by SQL, an eval of two
versions of a task, their comparison, an export; and the joins that only one store of all of it can answer.

Fields of an eval's spans come as attributes `tracestore.input` and so on: these tests ask for the columns that
they become.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from data import processes, shared
from tracestore import Eval, dataset, scorers
from tracestore.cli import app
from tracestore.client import Client

QUESTIONS = 40


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Gives a server in another process that holds production traces of a question answerer."""
    data = tmp_path_factory.mktemp("loop") / "store"
    with processes.serving(data, "--grpc-port", "-1") as server:
        with Client(server.url) as client:
            client.insert("spans", production(), project="shop")
        yield server.url


@functools.cache
def samples() -> list[dict[str, Any]]:
    """Returns real questions: chat messages, and the answer that was wanted."""
    lines = shared.read(shared.require("llm", "openai-evals-data", "openai-evals-data.jsonl.zst"))
    found: dict[str, dict[str, Any]] = {}
    for line in lines.splitlines():
        row = json.loads(line)
        if isinstance(row.get("ideal"), str) and isinstance(row.get("input"), list):
            found.setdefault(json.dumps(row["input"]), row)
        if len(found) == QUESTIONS:
            break
    return list(found.values())


def production() -> list[dict[str, Any]]:
    """Returns spans of two weeks in which every question was asked once a week, of one of two models."""
    week_ns = 7 * 86_400 * 10**9
    return [
        {
            "name": "answer",
            "type": "llm",
            "start_ns": 1_790_000_000_000_000_000 + week * week_ns + number,
            "input": sample["input"],
            "output": sample["ideal"],
            "scores": {"helpful": (number + week) % 2},
            "metadata": {"model": "large" if number % 4 else "small", "kind": number % 3},
        }
        for number, sample in enumerate(samples())
        for week in range(2)
    ]


def careless(messages: list[dict[str, Any]]) -> str:
    """Knows the first half of the questions."""
    return _known(messages, range(QUESTIONS // 2))


def better(messages: list[dict[str, Any]]) -> str:
    """Knows all but the first few."""
    return _known(messages, range(5, QUESTIONS))


def _known(messages: list[dict[str, Any]], numbers: range) -> str:
    for number in numbers:
        if samples()[number]["input"] == messages:
            return str(samples()[number]["ideal"])
    return "I do not know"


@pytest.fixture(scope="module")
def runs(url: str) -> tuple[str, Any, Any]:
    with Client(url) as client:
        report = client.datasets.add(
            "answers",
            sql="SELECT DISTINCT ON (input_key) trace_id, span_id, input, output, {'kind': metadata.kind} AS metadata "
            "FROM spans WHERE project = 'shop' AND experiment IS NULL AND name = 'answer'",
            project="shop",
        )
        assert report["rows"] == QUESTIONS
    both = [
        Eval(
            "shop",
            experiment=task.__name__,
            data=dataset("answers"),
            task=task,
            scores=[scorers.exact_match, scorers.levenshtein],
            url=url,
            progress=False,
            summary=False,
        )
        for task in (careless, better)
    ]
    return url, both[0], both[1]


def test_fields_of_an_evals_spans_are_columns(runs: tuple[str, Any, Any]) -> None:
    url, first, _ = runs
    with Client(url) as client:
        rows = client.sql(
            "SELECT input, output, expected, scores, metadata, type, input_key "
            "FROM experiment('careless') WHERE is_root"
        ).rows()
        assert len(rows) == QUESTIONS
        assert {row["type"] for row in rows} == {"eval"}
        assert all(set(row["scores"]) == {"exact_match", "levenshtein"} for row in rows)
        assert sorted(row["scores"]["exact_match"] for row in rows) == sorted(
            case.scores["exact_match"] for case in first.cases
        )
        types = client.sql(
            "SELECT type, count(*) AS n FROM experiment('careless') GROUP BY 1 ORDER BY 1"
        ).rows()
        assert types == [
            {"type": "eval", "n": QUESTIONS},
            {"type": "score", "n": 2 * QUESTIONS},
            {"type": "task", "n": QUESTIONS},
        ]


def test_the_second_run_is_compared_with_the_first(runs: tuple[str, Any, Any]) -> None:
    url, first, second = runs
    assert second.base == "careless"
    assert second.compared is not None
    for name in ("exact_match", "levenshtein"):
        assert second.scores[name].base == pytest.approx(first.scores[name].mean)
        # Half of the questions were known, then all but five of that half too.
        changed = second.compared["experiments"][1]["against_baseline"][name]
        assert changed["improvements"] + changed["regressions"] + changed["unchanged"] == QUESTIONS
    with Client(url) as client:
        rows = client.sql(
            "SELECT status, count(*) AS n FROM compare('careless', 'better') GROUP BY 1"
        ).rows()
        assert sum(row["n"] for row in rows) == 2 * QUESTIONS
        told = client.experiments.compare("careless", "better", group_by="metadata.kind")
        assert [each["group"] for each in told["groups"]] == ["0", "1", "2"]


def test_production_spans_join_the_cases_of_an_experiment(runs: tuple[str, Any, Any]) -> None:
    url, first, second = runs
    with Client(url) as client:
        rows = client.sql("""
            SELECT count(*) AS spans, count(DISTINCT p.input_key) AS inputs, avg(c.scores.exact_match) AS exact
            FROM project_logs('shop') p JOIN experiment('better') c ON p.input_key = c.input_key
            WHERE p.name = 'answer' AND c.is_root
        """).rows()
        assert rows[0]["spans"] == 2 * QUESTIONS
        assert rows[0]["inputs"] == QUESTIONS
        assert rows[0]["exact"] == pytest.approx(second.scores["exact_match"].mean)
        weeks = client.sql("""
            SELECT date_trunc('week', start_time) AS week, metadata.model AS model, avg(scores.helpful) AS helpful,
                   count(*) AS n
            FROM spans WHERE project = 'shop' AND experiment IS NULL GROUP BY ALL ORDER BY week, model
        """).rows()
        assert len(weeks) == 4
        assert sum(row["n"] for row in weeks) == 2 * QUESTIONS
        hit = client.sql("""
            SELECT c.input_key AS key, c.difference AS fell, count(*) AS spans
            FROM compare('careless', 'better') c JOIN project_logs('shop') p ON p.input_key = c.input_key
            WHERE c.score = 'exact_match' AND c.status = 'regressed' GROUP BY ALL ORDER BY fell
        """).rows()
        before = {case.case.row_id: case.scores["exact_match"] for case in first.cases}
        after = {case.case.row_id: case.scores["exact_match"] for case in second.cases}
        assert len(hit) == sum(after[key] < before[key] for key in before) == 5
        assert all(row["spans"] == 2 for row in hit)


def test_an_experiment_is_exported(runs: tuple[str, Any, Any], tmp_path: Path) -> None:
    url, *_ = runs
    target = tmp_path / "better.jsonl"
    done = CliRunner().invoke(
        app, ["export", "--experiment", "better", "-o", str(target), "--url", url]
    )
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert len(rows) == QUESTIONS
    assert all(row["input"] and row["scores"] for row in rows)
