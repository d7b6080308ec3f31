"""A tour in one command: a server, a small agent that reports to it, and questions that need typed paths."""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Status, StatusCode, Tracer
from rich.console import Console
from rich.table import Table

from tracestore.client import Client
from tracestore.demo import stub_model
from tracestore.demo.evals import run_evals
from tracestore.demo.support import PROJECT, support_day
from tracestore.demo.support_documents import save_documents
from tracestore.demo.support_evals import run_support_evals
from tracestore.demo.support_play import save_play, stub_providers
from tracestore.importing import requests_of
from tracestore.server import Server, ServerSettings

QUESTIONS: Final = {
    "a numeric compare on a nested key, the same for every instrumentation": """
        SELECT metadata.model AS model, count(DISTINCT service) AS services, count(*) AS calls,
               sum(metrics.prompt_tokens) AS prompt_tokens, round(avg(duration) * 1000, 3) AS avg_ms
        FROM spans WHERE type = 'llm' AND metrics.prompt_tokens > 200
        GROUP BY ALL ORDER BY prompt_tokens DESC LIMIT 5""",
    "a path that changed type midway": """
        SELECT typeof(attributes.retrieval.score) AS type, count(*) AS rows,
               max(attributes.retrieval.score > 0.5) AS any_above_half
        FROM spans WHERE attributes.retrieval.score IS NOT NULL GROUP BY ALL ORDER BY type""",
    "a join: the model calls below tools that failed": """
        SELECT tool.attributes.gen_ai.tool.name AS tool, tool.status_message AS error,
               count(*) AS failed, max(agent.attributes.user.tier) AS tier
        FROM spans tool
        JOIN spans agent ON agent.trace_id = tool.trace_id AND agent.is_root
        WHERE tool.status_code = 'ERROR' AND tool.attributes.gen_ai.tool.name IS NOT NULL
        GROUP BY ALL ORDER BY failed DESC, tool LIMIT 5""",
    "a search over all text": """
        SELECT name, attributes.question AS question FROM spans
        WHERE search('refund late parcel') AND is_root LIMIT 3""",
    "traces, rolled up": """
        SELECT name, span_count, error_count, round(duration * 1000, 2) AS ms
        FROM traces ORDER BY span_count DESC, error_count DESC LIMIT 5""",
}
SHIPPED: Final = Path(__file__).with_name("traces.jsonl")
"""Traces as OpenInference, the Vercel AI SDK and OpenLLMetry report them; made for this tour."""

TREE: Final = """
    SELECT span_id, parent_span_id, name, round(duration * 1000, 2) AS ms, status_code
    FROM spans WHERE trace_id = $id ORDER BY start_ns"""

CALLS: Final = """
    SELECT input, output, metadata.model AS model, trace_id, span_id
    FROM spans WHERE type = 'llm' ORDER BY start_ns"""

SLOWEST_FAILURE: Final = f"""
    SELECT trace_id FROM spans WHERE project = '{PROJECT}' AND status_code = 'ERROR' AND type = 'tool'
    ORDER BY duration_ns DESC LIMIT 1"""  # noqa: S608 - a name of our own

_TOPICS: Final = (
    "Where is my late parcel, and can I get a refund?",
    "Which plan includes single sign-on?",
    "Cancel order 4711 and tell me when it is done.",
    "Summarise the last three invoices.",
)
_LABELS: Final = ("parcel", "plan", "order", "invoice")
_MODELS: Final = (("gpt-4o", 0.4), ("claude-sonnet-4-5", 0.35), ("gpt-4o-mini", 0.25))


def run_demo(
    data: Path, traces: int = 60, console: Console | None = None, *, keep: bool = False
) -> None:
    """Runs the tour on a folder and prints it; ends by itself, unless the server is to be kept.

    Args:
        data: the store's folder; it is created.
        traces: agent runs to report, half of them over gRPC.
        console: where to print.
        keep: whether the server stays up, on the usual ports, until it is interrupted.
    """
    out = console or Console()
    with stub_model.serving() as stub:
        settings = ServerSettings(data=data, providers=stub_providers(stub.url))
        if not keep:
            settings = settings.model_copy(update={"port": 0, "grpc_port": 0})
        _run_tour(out, settings, data, traces, keep=keep)
    out.print(f"the store is {data}: open Parquet files below segments/, readable by any engine")
    out.print(f'ask more:  tracestore query --data {data} "FROM spans LIMIT 5"')


def _run_tour(
    out: Console, settings: ServerSettings, data: Path, traces: int, *, keep: bool
) -> None:
    with Server(settings) as server, Client(server.url) as client:
        out.rule("tracestore")
        out.print(
            "a tour of about half a minute: an agent reports over HTTP and gRPC, recorded requests are imported, "
            "then questions, a trace, an export and two evals"
        )
        out.print(
            f"a server on {server.url} (OTLP over HTTP, SQL) and port {server.grpc_port} (OTLP over gRPC)"
        )
        exporters: tuple[Callable[[], SpanExporter], ...] = (
            lambda: HttpExporter(endpoint=f"{server.url}/v1/traces"),
            lambda: GrpcExporter(endpoint=f"127.0.0.1:{server.grpc_port}", insecure=True),
        )
        agents = [
            threading.Thread(
                target=_run_agent, args=(exporter(), number * traces // 2, traces // 2)
            )
            for number, exporter in enumerate(exporters)
        ]
        for agent in agents:
            agent.start()
        for agent in agents:
            agent.join()
        rows = client.sql(
            "SELECT count(*) AS spans, count(DISTINCT trace_id) AS traces FROM spans"
        ).rows()[0]
        out.print(f"an agent reported {rows['spans']} spans in {rows['traces']} traces")
        _import_corpus(out, client)
        out.print()
        for title, sql in QUESTIONS.items():
            _show(out, title, client.sql(sql).rows())
        largest = client.sql("SELECT trace_id FROM traces ORDER BY span_count DESC LIMIT 1").rows()[
            0
        ]["trace_id"]
        out.print("[bold]a trace as a tree[/bold]")
        _print_tree(out, client.sql(TREE, {"id": largest}).rows())
        target = data / "model-calls.jsonl"
        exported = _export(client, target)
        out.print(f"\nexported {exported} model calls to {target}")
        run_evals(out, client, server.url, data)
        client.insert("spans", support_day(time.time_ns()), project=PROJECT)
        run_support_evals(client, time.time_ns())
        save_documents(client)
        out.print(
            f"project {PROJECT} has a day of a support agent: 420 traces, three experiments, a board"
        )
        play, wrong = save_play(client)
        out.print(
            "a prompt was tried in two versions on a stub that answers as models do: see which is better"
        )
        if keep:
            _keep(out, client, server.url, play, wrong)


def _keep(out: Console, client: Client, url: str, play: str, wrong: str) -> None:
    """Says which pages are worth opening, and waits until the process is interrupted."""
    worst = client.sql(SLOWEST_FAILURE).rows()[0]["trace_id"]
    base = f"{url}/p/{PROJECT}"
    out.print(f"\n[bold]open[/bold] {url}", highlight=False)
    out.print(
        f"  an agent whose tool failed     {base}/trace/{worst}", highlight=False, soft_wrap=True
    )
    runs = "e=short-answers%7Cname-the-dates"
    out.print(
        f"  two prompts, case by case      {base}/compare?{runs}", highlight=False, soft_wrap=True
    )
    for title, path in (
        ("a wrong answer, to open in Play", f"trace/{wrong}"),
        ("two versions of a prompt on data", f"play/{play}"),
    ):
        out.print(f"  {title:<33}{base}/{path}", highlight=False, soft_wrap=True)
    out.print(f"  charts of its day              {base}/boards", highlight=False, soft_wrap=True)
    out.print("Ctrl+C ends it", highlight=False)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


def _import_corpus(out: Console, client: Client) -> None:
    """Imports recorded traces of other applications where there are any, else the few that are shipped."""
    folder = Path(os.environ.get("TRACESTORE_SHARED_DATA", "../shared/data"))
    for path in sorted(folder.rglob("*.pbs.zst")) or [SHIPPED]:
        requests = 0
        for payload in requests_of(path):
            client.ingest_otlp(
                payload.body, payload.signal, payload.content_type or "", project="recorded"
            )
            requests += 1
        source = "three instrumentations" if path == SHIPPED else path.parent.name
        out.print(f"imported {requests} recorded requests of {source}")


def _export(client: Client, target: Path) -> int:
    with target.open("wb") as file:
        for part in client.export(CALLS, "application/x-ndjson"):
            file.write(part)
    with target.open("rb") as file:
        return sum(1 for _ in file)


# --- a small agent ------------------------------------------------------------------------------------


def _run_agent(exporter: SpanExporter, first: int, count: int) -> None:
    provider = TracerProvider(
        resource=Resource.create({"service.name": "support-agent", "service.version": "1.4.2"})
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("support_agent", "1.4.2")
    for number in range(first, first + count):
        _answer(tracer, number, random.Random(number))  # noqa: S311 - a story, not a secret
    provider.shutdown()


def _answer(tracer: Tracer, number: int, chance: random.Random) -> None:
    question = _TOPICS[number % len(_TOPICS)]
    with tracer.start_as_current_span("invoke_agent support") as span:
        span.set_attributes(
            {
                "gen_ai.operation.name": "invoke_agent",
                "question": question,
                "topic": _LABELS[number % len(_LABELS)],
                "user.id": f"user-{number % 17}",
                "user.tier": chance.choice(("free", "pro")),
                "session.id": f"session-{number // 3}",
            }
        )
        history: list[dict[str, Any]] = [{"role": "system", "content": "You help customers."}]
        for turn in range(1 + number % 4):
            history.append(
                {"role": "user", "content": question if turn == 0 else f"and then? ({turn})"}
            )
            _retrieve(tracer, number, chance)
            if chance.random() < 0.5:
                _call_tool(tracer, chance)
            _chat(tracer, history, chance)


def _chat(tracer: Tracer, history: list[dict[str, Any]], chance: random.Random) -> None:
    model = chance.choices([name for name, _ in _MODELS], [weight for _, weight in _MODELS])[0]
    reply = {"role": "assistant", "content": f"Here is what I found ({chance.randint(1, 99)})."}
    with tracer.start_as_current_span(f"chat {model}") as span:
        span.set_attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": model,
                "gen_ai.request.temperature": chance.choice((0.0, 0.2, 0.7)),
                "gen_ai.usage.input_tokens": 40 * len(history) + chance.randint(20, 200),
                "gen_ai.usage.output_tokens": chance.randint(5, 120),
                "gen_ai.response.finish_reasons": ["stop"],
                "gen_ai.input.messages": json.dumps(history),
                "gen_ai.output.messages": json.dumps([reply]),
            }
        )
        span.add_event("gen_ai.first_token", {"chunk.index": 0})
        history.append(reply)


def _retrieve(tracer: Tracer, number: int, chance: random.Random) -> None:
    with tracer.start_as_current_span("retrieve orders") as span:
        score = chance.random()
        # A release in the middle of the day reports the score as text: both stay queryable.
        span.set_attribute("retrieval.score", score if number % 3 else f"{score:.2f}")
        span.set_attribute(
            "retrieval.documents", [f"doc-{chance.randint(1, 40)}" for _ in range(3)]
        )


def _call_tool(tracer: Tracer, chance: random.Random) -> None:
    name = chance.choice(("lookup_order", "issue_refund", "track_parcel"))
    with tracer.start_as_current_span(f"execute_tool {name}") as span:
        span.set_attribute("gen_ai.tool.name", name)
        span.set_attribute(
            "gen_ai.tool.call.arguments", json.dumps({"order": chance.randint(1000, 9999)})
        )
        if chance.random() < 0.25:
            error = TimeoutError(f"{name} did not answer")
            span.record_exception(error)
            span.set_status(Status(StatusCode.ERROR, str(error)))


# --- printing -----------------------------------------------------------------------------------------


def _show(out: Console, title: str, rows: list[dict[str, Any]]) -> None:
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in rows[0] if rows else ():
        table.add_column(name, overflow="fold", max_width=48)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    out.print(table)


def _print_tree(out: Console, rows: list[dict[str, Any]]) -> None:
    children: dict[str | None, list[dict[str, Any]]] = {}
    span_ids = {row["span_id"] for row in rows}
    for row in rows:
        parent = row["parent_span_id"] if row["parent_span_id"] in span_ids else None
        children.setdefault(parent, []).append(row)
    stack = [(row, 0) for row in reversed(children.get(None, []))]
    while stack:
        row, depth = stack.pop()
        mark = " [red]ERROR[/red]" if row["status_code"] == "ERROR" else ""
        out.print(f"{'  ' * depth}{row['name']}  [dim]{row['ms']} ms[/dim]{mark}", highlight=False)
        stack += [(child, depth + 1) for child in reversed(children.get(row["span_id"], []))]
