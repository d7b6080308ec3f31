"""The command line and the demo, run as a user runs them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from rich.console import Console

import tracestore
from data import processes
from tracestore.demo import run_demo


def run(*arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
    done = processes.run([*processes.TRACESTORE, *arguments])
    assert (done.returncode == 0) is ok, done.stderr + done.stdout
    return done


def test_import_query_export_and_inspect(tmp_path: Path) -> None:
    source = Path(__file__).parent.parent / "data" / "agent_trace.json"
    data = str(tmp_path / "store")
    assert "imported" in run("import", str(source), "--data", data).stderr
    answer = run("query", "SELECT count(*) AS n FROM spans", "--data", data, "--format", "json")
    spans = json.loads(answer.stdout)[0]["n"]
    assert spans > 0
    target = tmp_path / "spans.jsonl"
    run("export", "--sql", "SELECT name, attributes FROM spans", "-o", str(target), "--data", data)
    assert len(target.read_text().splitlines()) == spans
    run("compact", "--data", data)
    run("check", "--data", data)
    segment = next(Path(data).rglob("*.parquet"))
    assert segment.name in run("inspect", str(segment)).stdout
    assert "attributes" in run("schema", "--data", data).stdout


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    data = str(tmp_path / "store")
    text = run(
        "keys", "create", "ci", "--scope", "ingest", "--project", "shop", "--data", data
    ).stdout.strip()
    listed = json.loads(run("keys", "list", "--data", data, "--format", "json").stdout)
    assert listed == [
        {
            "id": text.split("_")[1],
            "name": "ci",
            "scopes": "ingest",
            "projects": "shop",
            "live": True,
        }
    ]
    run("keys", "revoke", listed[0]["id"], "--data", data)
    assert (
        json.loads(run("keys", "list", "--data", data, "--format", "json").stdout)[0]["live"]
        is False
    )
    assert "no live key" in run("keys", "revoke", "x", "--data", data, ok=False).stderr


def test_errors_name_the_remedy_and_set_the_status(tmp_path: Path) -> None:
    tracestore.open(tmp_path / "s").close()
    failed = run("query", "SELECT * FROM spanz", "--data", str(tmp_path / "s"), ok=False)
    assert "did you mean spans" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_help_teaches() -> None:
    for command in (
        "serve",
        "query",
        "import",
        "export",
        "schema",
        "compact",
        "check",
        "inspect",
        "demo",
    ):
        assert "Usage" in run(command, "--help").stdout


def test_serve_ends_on_sigterm_and_keeps_what_it_took(tmp_path: Path) -> None:
    data = str(tmp_path / "store")
    source = Path(__file__).parent.parent / "data" / "agent_trace.json"
    with processes.serving(Path(data), "--grpc-port", "-1") as server:
        run("import", str(source), "--url", server.url)
        assert server.stop() == 0
    answer = run("query", "SELECT count(*) AS n FROM spans", "--data", data, "--format", "json")
    assert json.loads(answer.stdout)[0]["n"] > 0


def test_the_demo_answers_all_its_questions(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as printed:
        console = Console(record=True, width=120, file=printed)
        run_demo(tmp_path / "store", traces=12, console=console)
    text = console.export_text()
    assert "an agent reported" in text
    assert "invoke_agent support" in text
    assert "chat " in text
    assert (tmp_path / "store" / "model-calls.jsonl").stat().st_size > 0
    assert "4 questions that users asked are version 1 of a dataset" in text
    assert "experiment first words: exact_match 0.50" in text
    assert "experiment more words: exact_match 1.00" in text
    assert len((tmp_path / "store" / "questions.jsonl").read_text().splitlines()) == 4
