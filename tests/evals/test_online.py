"""Online scores: the scorers of evals on a share of production spans, written as patches, within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import tracestore
from data import stores
from tracestore import Store, scorers
from tracestore.cli import app
from tracestore.evals import EvalError
from tracestore.evals.online import OnlinePlan, OnlineScoring, is_in_share
from tracestore.scorers import ScorerError

SPANS = 60
SQL = "SELECT project, trace_id, span_id, input, output, expected, metadata FROM spans"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with tracestore.open(tmp_path / "store", background=False) as opened:
        opened.insert("spans", [asked(number) for number in range(SPANS)], project="shop")
        opened.flush()
        yield opened


def asked(number: int) -> dict[str, Any]:
    """Returns the span of a question of which every second one is answered well."""
    answer = "yes" if number % 2 else "no"
    return stores.span(number, input=f"question {number}", output=answer, expected="yes")


def scored(store: Store, name: str) -> dict[str, Any]:
    """Returns the scores of a name by the spans that have one."""
    rows = store.sql(
        f"SELECT span_id, scores.{name} AS score FROM spans WHERE scores.{name} IS NOT NULL"
    ).rows()
    return {row["span_id"]: row["score"] for row in rows}


def test_the_share_follows_from_the_ids_and_is_scored_once(store: Store) -> None:
    rows = store.sql(SQL).rows()
    wanted = {row["span_id"] for row in rows if is_in_share(row, 0.3)}
    assert 0 < len(wanted) < SPANS
    for _ in range(2):
        scoring = OnlineScoring(store, OnlinePlan([scorers.exact_match], SQL, sample=0.3))
        scoring.run_once()
        scoring.run_once()
        assert scored(store, "exact_match").keys() == wanted
    assert (scoring.report.seen, scoring.report.asked, scoring.report.scored) == (2 * SPANS, 0, 0)
    found = scored(store, "exact_match")
    rights = {row["span_id"]: float(row["output"] == "yes") for row in rows}
    assert found == {span_id: rights[span_id] for span_id in wanted}


def test_a_later_pass_scores_what_came_meanwhile(store: Store) -> None:
    scoring = OnlineScoring(store, OnlinePlan([scorers.exact_match], SQL))
    scoring.run_once()
    assert scoring.report.scored == SPANS
    store.insert("spans", [asked(SPANS)], project="shop")
    scoring.run_once()
    assert (scoring.report.scored, scoring.report.asked) == (SPANS + 1, SPANS + 1)


def test_scorers_may_be_async_name_several_scores_fail_and_say_nothing(store: Store) -> None:
    async def polite(output: str) -> dict[str, Any]:
        return {"name": "tone", "score": output == "yes", "metadata": {"cost": 0.25}}

    def broken(output: str) -> float:
        raise ValueError(f"no {output}")

    def silent(input: str) -> None:  # noqa: A002 - a scorer's argument
        assert input.startswith("question")

    scoring = OnlineScoring(store, OnlinePlan([polite, broken, silent], SQL))
    scoring.run_once()
    scoring.run_once()
    report = scoring.report
    assert (report.asked, report.scored, report.failed, report.cost) == (60, 60, 60, 15.0)
    assert report.errors["broken"].startswith("ValueError: no ")
    assert set(scored(store, "tone").values()) == {0, 1}
    assert store.sql("SELECT count(scores.silent) AS n FROM spans").rows() == [{"n": 0}]


@pytest.mark.parametrize(
    ("bounds", "most"), [({"max_spans": 7}, 7), ({"max_cost": 1.0}, 4), ({"max_cost": 0.0}, 0)]
)
def test_bounds_end_it_and_keep_what_was_paid_for(
    bounds: dict[str, Any], most: int, store: Store
) -> None:
    def dear(output: str) -> dict[str, Any]:
        return {"score": len(output), "metadata": {"cost": 0.25}}

    scoring = OnlineScoring(store, OnlinePlan([dear], SQL, concurrency=1, **bounds))
    scoring.run_once()
    assert (scoring.report.asked, scoring.report.scored) == (most, most)
    assert len(scored(store, "dear")) == most
    assert scoring.report.bound is not None


def test_what_cannot_be_scored_is_told_before_anything_is_asked(store: Store) -> None:
    for wrong in ({"sample": 0}, {"sample": 1.5}, {"concurrency": 0}):
        with pytest.raises(EvalError, match="cannot score spans"):
            OnlineScoring(store, OnlinePlan([scorers.exact_match], SQL, **wrong))
    with pytest.raises(ScorerError, match="it wants 'pattern'"):
        OnlineScoring(store, OnlinePlan([scorers.regex_match], SQL))
    scoring = OnlineScoring(store, OnlinePlan([scorers.exact_match], "SELECT trace_id FROM spans"))
    with pytest.raises(EvalError, match="gives no span_id"):
        scoring.run_once()


def test_the_command_scores_with_the_scorers_of_a_file(tmp_path: Path) -> None:
    with tracestore.open(tmp_path / "store", background=False) as opened:
        opened.insert("spans", [asked(number) for number in range(SPANS)], project="shop")
    file = tmp_path / "quality.py"
    file.write_text(
        "from tracestore import scorers\n"
        "def short(output):\n    return len(output) < 3\n"
        "scores = [scorers.exact_match, short]\n"
    )
    given = ["score-online", str(file), "--data", str(tmp_path / "store"), "--sql", SQL, "--once"]
    done = CliRunner().invoke(app, [*given, "--sample", "1", "--max-spans", "10"])
    assert done.exit_code == 0, done.output
    assert "scored 10 spans" in done.output
    assert "ended at the bound of 10 spans" in done.output
    assert CliRunner().invoke(app, [*given, "--sample", "1"]).exit_code == 0
    with tracestore.open(tmp_path / "store", background=False) as opened:
        assert len(scored(opened, "short")) == SPANS
    file.write_text("scores = []\n")
    assert CliRunner().invoke(app, given).exit_code == 2
