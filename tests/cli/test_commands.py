"""What the commands do, on a folder and through a server alike."""

from __future__ import annotations

import datetime
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner, Result

import tracestore
from data.stores import span
from tracestore.cli import app
from tracestore.cli.commands.ask.traces import duration_text, tree_lines
from tracestore.server import Server, ServerSettings

TRACE = "ab" * 16


def spans() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {"span_id": "01", "name": "agent [INST]", "type": "agent", "duration_ns": 2_000_000_000},
        {
            "span_id": "02",
            "parent_span_id": "01",
            "name": "chat",
            "type": "llm",
            "metrics": {"tokens": 7},
        },
        {
            "span_id": "03",
            "parent_span_id": "01",
            "name": "search",
            "type": "tool",
            "status_code": "ERROR",
            "error": {"message": "[red]no answer"},
        },
        {"span_id": "04", "parent_span_id": "03", "name": "http", "metadata": {"user_id": "u1"}},
        {"span_id": "05", "parent_span_id": "99", "name": "lost", "metadata": {"user_id": "u2"}},
    ]
    return [
        {
            "trace_id": TRACE,
            "start_ns": 1_790_000_000_000_000_000 + number,
            "duration_ns": 1_000_000,
            **row,
            "span_id": row["span_id"].zfill(16),
            **(
                {"parent_span_id": str(row["parent_span_id"]).zfill(16)}
                if "parent_span_id" in row
                else {}
            ),
        }
        for number, row in enumerate(rows)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with tracestore.open(tmp_path / "store") as store:
        store.insert("spans", spans())
        store.insert("logs", [{"body": "hello", "attributes": {"user": "u1"}}, {"body": "other"}])
    return tmp_path / "store"


@pytest.fixture(params=["folder", "server"])
def place(request: pytest.FixtureRequest, folder: Path) -> Iterator[tuple[str, str]]:
    if request.param == "folder":
        yield "--data", str(folder)
        return
    with Server(ServerSettings(data=folder, port=0, grpc_port=-1)) as running:
        yield "--url", running.url


def run(*arguments: str, ok: bool = True, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(app, list(arguments), input=stdin)
    assert (result.exit_code == 0) is ok, result.output + str(result.exception)
    return result


def names(place: tuple[str, str]) -> list[str]:
    printed = run("query", "SELECT name FROM spans ORDER BY start_ns", "--format", "json", *place)
    return [row["name"] for row in json.loads(printed.stdout)]


def test_trace_prints_a_tree(place: tuple[str, str]) -> None:
    lines = run("trace", TRACE[:8], *place).stdout.splitlines()
    assert lines[0] == f"trace {TRACE}  5 spans  2 s  1 failed"
    assert [line.rstrip() for line in lines[1:]] == [
        "agent [INST]  agent  2 s",
        "├─ chat       llm  1 ms  7 tokens",
        "└─ search     tool  1 ms  ERROR [red]no answer",
        "   └─ http    1 ms",
        "lost          1 ms",
    ]
    whole = json.loads(run("trace", TRACE, "--format", "json", *place).stdout)
    assert [row["name"] for row in whole][:2] == ["agent [INST]", "chat"]
    assert "no trace begins with" in run("trace", "ffffff", *place, ok=False).stderr
    assert run("trace", "../x", *place, ok=False).exit_code == 2


def test_spans_that_are_each_others_parents_are_printed_once() -> None:
    rows = [
        {"trace_id": "t", "span_id": a, "parent_span_id": b, "name": a, "type": None, "service": None,
         "start_ns": 0, "duration": None, "status_code": None, "message": None, "tokens": None, "cost": None}
        for a, b in (("a", "b"), ("b", "a"), ("c", "c"))
    ]  # fmt: skip
    lines = list(tree_lines(rows, None))
    assert [line.split()[-2] for line in lines[1:]] == ["a", "b", "c"]


def test_durations_are_told_in_units_that_people_read() -> None:
    told = [duration_text(each) for each in (None, 0.0, 12e-6, 0.0031, 1.5, 90, 7200)]
    assert told == ["running", "0 µs", "12 µs", "3.1 ms", "1.5 s", "1.5 min", "2 h"]


def test_delete_asks_and_says_what_goes(place: tuple[str, str]) -> None:
    where = ("--where", "metadata.user_id = 'u1'")
    told = run("delete", *where, "--dry-run", *place)
    assert "1 rows match" in told.stderr
    assert "1 │" in told.stdout
    assert len(names(place)) == 5
    refused = run("delete", *where, *place, ok=False)
    assert "--yes" in refused.output
    assert "deleted 1 rows" in run("delete", *where, "--yes", *place).stderr
    assert names(place) == ["agent [INST]", "chat", "search", "lost"]
    both = run(
        *("delete", "--where", "true", "--table", "logs", "--project", "default", "--yes"), *place
    )
    assert "deleted 2 rows" in both.stderr
    assert run("delete", "--where", "false", "--yes", *place).stderr.startswith("0 rows match")
    for bad in ("1) OR (1=1", "true GROUP BY name", "true; DROP TABLE spans", ""):
        run("delete", "--where", bad, "--yes", *place, ok=False)
    assert len(names(place)) == 4


def test_projects_are_listed_kept_and_deleted(place: tuple[str, str]) -> None:
    run("projects", "retention", "shop", "--days", "30", *place)
    assert " to 20" in run("projects", "list", *place).stdout
    listed = json.loads(run("projects", "list", "--format", "json", *place).stdout)
    assert [(row["name"], row["retention_days"], row["spans"]) for row in listed] == [
        ("default", None, 5),
        ("shop", 30, 0),
    ]
    run("projects", "retention", "shop", "--forever", *place)
    assert run("projects", "retention", "shop", *place, ok=False).exit_code == 2
    assert run("projects", "delete", "nope", "--yes", *place, ok=False).exit_code == 2
    assert "deleted 7 rows" in run("projects", "delete", "default", "--yes", *place).stderr
    assert names(place) == []


def test_a_store_of_one_writer_says_that_it_has_no_nodes(folder: Path) -> None:
    with Server(ServerSettings(data=folder, port=0, grpc_port=-1)) as running:
        assert "one writer and no nodes" in run("nodes", "--url", running.url).stdout
        assert run("nodes", "--url", running.url, "--format", "json").stdout == "[]\n"


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("schema", "no spans yet, so no path; `tracestore demo` sends some to try"),
        ("schema --table logs", "no logs yet, so no path; `tracestore demo` sends some to try"),
        ("experiments", "no experiment yet; `tracestore eval FILE` runs one"),
        ("dataset list", "no dataset yet; `tracestore dataset add NAME` makes one"),
        ("keys list", "no key yet; `tracestore keys create NAME` makes one"),
    ],
)
def test_a_list_of_nothing_says_what_to_do(tmp_path: Path, command: str, hint: str) -> None:
    with tracestore.open(tmp_path / "store"):
        pass
    assert run(*command.split(), "--data", str(tmp_path / "store")).stdout == f"{hint}\n"
    as_json = run(*command.split(), "--data", str(tmp_path / "store"), "--format", "json")
    assert json.loads(as_json.stdout) == []


def test_export_writes_to_standard_output(place: tuple[str, str]) -> None:
    sql = ("--sql", "SELECT name FROM spans ORDER BY start_ns LIMIT 2", "-o", "-")
    assert run("export", *sql, *place).stdout == '{"name":"agent [INST]"}\n{"name":"chat"}\n'
    assert run("export", *sql, "--format", "csv", *place).stdout.splitlines()[0] == '"name"'
    assert run("export", *sql, "--resume", *place, ok=False).exit_code == 2
    assert run("export", *sql, "--format", "xml", *place, ok=False).exit_code == 2


def test_experiments_are_listed_and_compared(place: tuple[str, str], folder: Path) -> None:
    rows = [
        {
            **span(number),
            "experiment": name,
            "is_root": True,
            "parent_span_id": None,
            "trace_id": f"{number + 1:032x}",
            "input": f"question {number % 2}",
            "output": f"answer {name} [b]",
            "scores": {"right": score},
        }
        for number, (name, score) in enumerate([("a", 1.0), ("a", 1.0), ("b", 1.0), ("b", 0.0)])
    ]
    source = folder.parent / "rows.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)))
    run("import", str(source), *place)
    listed = json.loads(run("experiments", "--format", "json", *place).stdout)
    assert {(row["name"], row["cases"]) for row in listed} == {("a", 2), ("b", 2)}
    printed = run("compare", "a", "b", *place).stdout
    assert "right 1.00 → 0.00   b" in printed
    assert "before  answer a [b]\n" in printed
    assert re.search(r"traces  [0-9a-f]{32} → [0-9a-f]{32}\n", printed)
    assert "input   question 1" in printed
    scores = json.loads(
        run("compare", "a", "b", "--format", "ndjson", *place).stdout.splitlines()[1]
    )
    assert (scores["difference"], scores["worse"]) == (-0.5, 1)
    assert (
        json.loads(run("compare", "a", "b", "--format", "json", *place).stdout)["baseline"] == "a"
    )
    assert run("compare", "a", *place, ok=False).exit_code == 2


def test_a_view_is_a_typed_table_that_duckdb_alone_reads(folder: Path) -> None:
    with tracestore.open(folder) as store:
        store.insert(
            "spans",
            [
                span(
                    n,
                    attributes={
                        "http.status": n if n % 2 else "gone",
                        "cost": n / 4,
                        "ok": True,
                        "l": [1],
                    },
                )
                for n in range(40)
            ],
        )
        store.insert("spans", [span(99, attributes={"rare/key~": {"x": ["a"]}, "CoSt": 1})])
        store.flush()
    target = folder.parent / "traces.duckdb"
    run("view", str(target), "--data", str(folder))
    assert run("view", str(target), "--data", str(folder), ok=False).exit_code == 2
    run("view", str(target), "--data", str(folder), "--overwrite")
    with duckdb.connect(str(target), read_only=True) as connection:

        def ask(sql: str) -> list[tuple[Any, ...]]:
            return connection.sql(sql).fetchall()

        assert ask('SELECT count(*), sum("attributes.cost") FROM "default".spans') == [(46, 195.0)]
        assert ask(
            'SELECT count("attributes.http.status:i64"), count("attributes.http.status:str"), '
            'typeof(any_value("attributes.http.status:i64")) FROM "default".spans'
        ) == [(20, 20, "BIGINT")]
        assert ask('SELECT "attributes.rare/key~.x" FROM "default".spans WHERE trace_id IS NOT NULL '
                   'AND "attributes.rare/key~.x" IS NOT NULL') == [(["a"],)]  # fmt: skip
        assert ask('SELECT body FROM "default".logs ORDER BY body') == [("hello",), ("other",)]
        assert ask('SELECT count(*) FROM "default".spans WHERE is_root')[0][0] > 0


def test_doctor_sends_a_span_and_finds_it(folder: Path) -> None:
    own = run("doctor", "--data", str(folder)).stdout
    assert "found by SQL" in own
    with Server(ServerSettings(data=folder, port=0, grpc_port=-1)) as running:
        told = run("doctor", "--url", running.url).stdout.splitlines()
        assert [line[:5].strip() for line in told] == ["ok", "ok", "ok"]
    down = run("doctor", "--url", "http://127.0.0.1:1", ok=False)
    assert "FAIL  server" in down.stdout


def test_doctor_says_what_is_missing_of_calls_and_why(folder: Path) -> None:
    assert "none in the last 15 minutes" in run("doctor", "--sdk", "--data", str(folder)).stdout
    now = datetime.datetime.now(datetime.UTC).isoformat()
    call = {"type": "llm", "start_time": now, "duration_ns": 5_000_000, "trace_id": "ab" * 16}
    outer = {**call, "span_id": "01" * 8, "scope_name": "openinference.instrumentation.litellm"}
    outer |= {"input": "q", "output": "a", "metrics": {"tokens": 30}, "metadata": {"model": "m"}}
    inner = {
        **outer,
        "span_id": "02" * 8,
        "parent_span_id": "01" * 8,
        "scope_name": "semantic_kernel",
    }
    bare = {**call, "span_id": "03" * 8, "scope_name": "opentelemetry.instrumentation.openai_v2"}
    with tracestore.open(folder) as store:
        store.insert("spans", [outer, inner, bare])
    told = run("doctor", "--sdk", "--data", str(folder)).stdout
    assert "litellm: 1 calls with input, output, model and tokens" in told
    assert "openai_v2: 1 of 1 calls have no input" in told
    assert "CAPTURE_MESSAGE_CONTENT=true and send logs" in told
    assert "include_usage" in told
    assert "one inside the other" in told


def test_tail_prints_spans_as_they_arrive(folder: Path) -> None:
    with (
        Server(ServerSettings(data=folder, port=0, grpc_port=-1)) as running,
        tracestore.Client(running.url) as client,
    ):
        done = threading.Event()

        def send() -> None:
            # Whether the watcher has begun shows in what it prints: spans are sent until it has what it wants.
            number = 1000
            while not done.is_set():
                now = {**span(number), "name": "fresh [b]", "start_ns": None, "start_time": None}
                client.insert("spans", [{k: v for k, v in now.items() if v is not None}])
                number += 1

        sender = threading.Thread(target=send)
        sender.start()
        try:
            printed = run("tail", "--where", "name = 'fresh [b]'", "-n", "2", "--data", str(folder))
        finally:
            done.set()
            sender.join()
        lines = printed.stdout.splitlines()
        assert len(lines) == 2
        assert all("fresh [b]" in line for line in lines)
        assert run("tail", "--where", "1) OR (1", "--url", running.url, ok=False).exception
    assert run("tail", "--data", str(folder), ok=False).exit_code == 2
