"""The tour's second half: reported traces become a dataset, two versions of a task are tried on it and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from rich.console import Console

from tracestore.client import Client
from tracestore.evals import Eval, dataset
from tracestore.exports import export
from tracestore.scorers import exact_match, levenshtein

PROJECT: Final = "default"

ASKED: Final = """
    SELECT DISTINCT ON (attributes.question) trace_id, span_id, {'question': attributes.question} AS input,
           attributes.topic AS expected, {'tier': attributes.user.tier} AS metadata
    FROM spans WHERE is_root AND attributes.topic IS NOT NULL
    ORDER BY attributes.question, start_ns"""

CHANGED: Final = """
    SELECT case_key, score, before, after, status FROM compare('first words', 'more words')
    WHERE status <> 'same' ORDER BY difference, case_key, score"""


def first_words(asked: dict[str, Any]) -> str:
    """Returns the topic of a question by its first words."""
    return "parcel" if asked["question"].startswith("Where") else "order"


def more_words(asked: dict[str, Any]) -> str:
    """Returns the topic of a question by words anywhere in it."""
    words = asked["question"].lower()
    return next((topic for topic in ("parcel", "plan", "invoice") if topic in words), "order")


def run_evals(out: Console, client: Client, url: str, folder: Path) -> None:
    """Runs the loop against a server and prints it."""
    report = client.datasets.add("questions", sql=ASKED)
    out.print(
        f"\n[bold]the loop of evals[/bold]\n{report['rows']} questions that users asked are version "
        f"{report['version']} of a dataset"
    )
    for task in (first_words, more_words):
        name = task.__name__.replace("_", " ")
        result = Eval(
            PROJECT,
            experiment=name,
            data=dataset("questions"),
            task=task,
            scores=[exact_match, levenshtein],
            url=url,
            progress=False,
            summary=False,
        )
        means = ", ".join(f"{score} {summary.mean:.2f}" for score, summary in result.scores.items())
        changes = ", ".join(
            f"{score} {summary.improvements} improved and {summary.regressions} regressed"
            for score, summary in result.scores.items()
            if summary.improvements is not None
        )
        out.print(
            f"experiment [bold]{name}[/bold]: {means}"
            + (f"; against {result.base}: {changes}" if changes else ""),
            highlight=False,
        )
    for row in client.sql(CHANGED).rows():
        out.print(
            f"  {row['score']} {row['before']} → {row['after']}: {row['status']}", highlight=False
        )
    target = folder / "questions.jsonl"
    sql = (
        "SELECT id, input, expected, metadata, origin FROM dataset('questions') ORDER BY created_ns"
    )
    done = export(client, sql, str(target))
    out.print(f"exported {done.rows} rows of the dataset to {target}", highlight=False)
