"""Every command, its module and what help says of it. The modules are loaded when a command runs."""

from __future__ import annotations

from typing import Final

from tracestore.cli.lazy_group import LazyGroup, Listed

_START: Final = "Start"
_ASK: Final = "Ask"
_CHANGE: Final = "Bring in, change, take out"
_TEST: Final = "Test"
_KEEP: Final = "Keep"

_HOME: Final = "tracestore.cli.commands."

COMMANDS: Final[dict[str, Listed]] = {
    "serve": Listed(
        _HOME + "start.serve:serve",
        "Serves a folder: OTLP over HTTP and gRPC, and the query API. Ends on Ctrl-C or SIGTERM.",
        _START,
    ),
    "demo": Listed(
        _HOME + "start.demo:demo",
        "Shows the store at work: a server, an agent that reports to it, and questions. Ends by itself.",
        _START,
    ),
    "doctor": Listed(
        _HOME + "start.doctor:doctor",
        "Looks at settings, ports, disk and clock, sends a span to itself and finds it again.",
        _START,
    ),
    "query": Listed(_HOME + "ask.query:query", "Answers one SQL statement.", _ASK),
    "trace": Listed(_HOME + "ask.traces:trace", "Prints a trace as a tree.", _ASK),
    "tail": Listed(_HOME + "ask.traces:tail", "Prints spans as they arrive, until Ctrl-C.", _ASK),
    "schema": Listed(
        _HOME + "ask.query:schema", "Lists the paths of a table with their types and rows.", _ASK
    ),
    "experiments": Listed(
        _HOME + "ask.experiments:experiments", "Lists experiments, newest first.", _ASK
    ),
    "compare": Listed(
        _HOME + "ask.experiments:compare",
        "Compares experiments with the first of them: scores, then the cases that got worse.",
        _ASK,
    ),
    "import": Listed(
        _HOME + "change.import_files:import_files",
        "Imports files: OTLP requests as JSON or protobuf, or rows whose keys are columns.",
        _CHANGE,
    ),
    "export": Listed(
        _HOME + "change.export:export_rows",
        "Exports a query's answer, a dataset or an experiment: streamed, checked, and resumable.",
        _CHANGE,
    ),
    "score": Listed(
        _HOME + "change.feedback:score",
        "Scores a span, even one that has not arrived yet; every later query sees the score.",
        _CHANGE,
    ),
    "delete": Listed(
        _HOME + "change.delete:delete",
        "Deletes the rows that a condition of SQL selects, for good; first says how many they are.",
        _CHANGE,
    ),
    "view": Listed(
        _HOME + "change.view:view",
        "Writes a DuckDB file with a view of each project, which any DuckDB reads without tracestore.",
        _CHANGE,
    ),
    "eval": Listed(
        _HOME + "test.evals:eval_files",
        "Runs files of evals; status 1 where a bound is not kept, 130 where Ctrl-C ended it.",
        _TEST,
    ),
    "score-online": Listed(
        _HOME + "test.score_online:score_online",
        "Scores a share of the spans that a query gives, as they come, until Ctrl-C or a bound.",
        _TEST,
    ),
    "push": Listed(
        _HOME + "test.push:push",
        "Puts the scorers and tools of a file on a server; status 1 and FILE:LINE where it does not take one.",
        _TEST,
    ),
    "dataset": Listed(
        _HOME + "test.datasets:app", "Manages datasets: versioned rows to test with.", _TEST
    ),
    "projects": Listed(
        _HOME + "keep.projects:app", "Lists projects; changes their settings; deletes them.", _KEEP
    ),
    "mcp": Listed(
        _HOME + "ask.mcp:mcp",
        "Gives coding agents a store's tools, over standard input and output.",
        _ASK,
    ),
    "keys": Listed(_HOME + "keep.keys:app", "Manages API keys.", _KEEP),
    "nodes": Listed(
        _HOME + "keep.nodes:nodes",
        "Lists the nodes that share a server's catalog; any of them may be asked.",
        _KEEP,
    ),
    "stats": Listed(_HOME + "keep.stores:stats", "Counts what a store holds.", _KEEP),
    "check": Listed(
        _HOME + "keep.stores:check",
        "Verifies the files of a folder and changes none; status 1 where something is wrong.",
        _KEEP,
    ),
    "compact": Listed(
        _HOME + "keep.stores:compact", "Merges small segments, and applies deletes.", _KEEP
    ),
    "iceberg": Listed(
        _HOME + "keep.iceberg:app",
        "Publishes spans and logs as Apache Iceberg tables.",
        _KEEP,
    ),
    "backup": Listed(
        _HOME + "keep.folders:backup",
        "Copies a store, while a server runs on it too; the copy is a store of its own.",
        _KEEP,
    ),
    "recover": Listed(
        _HOME + "keep.folders:recover",
        "Puts all complete segments of a folder back into its catalog, or into a new one where it is gone.",
        _KEEP,
    ),
    "inspect": Listed(
        _HOME + "keep.folders:inspect", "Prints a file of a store field by field.", _KEEP
    ),
}


class Commands(LazyGroup):
    """All commands of `tracestore`."""

    listed = COMMANDS
