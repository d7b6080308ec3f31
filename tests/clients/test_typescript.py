"""`@tracestore/client`, built, packed and installed as users do, does to a server what the Python client does."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from clients import contract
from data import processes
from tracestore.client import Client
from tracestore.demo import stub_model
from tracestore.play.providers.settings import ProviderSettings
from tracestore.server import Server, ServerSettings

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "clients" / "typescript"
PROGRAMS = Path(__file__).parent / "typescript"

# What differs between any two runs: ids that were drawn, moments, how long it took.
VARYING = {
    "created_ns",
    "time",
    "offset",
    "trace_id",
    "trace_ids",
    "span_id",
    "metrics",
    "duration",
}


def npm(folder: Path, *words: str) -> str:
    """Runs npm and returns what it printed; skips the test where packages cannot be had."""
    done = processes.run(["npm", *words], cwd=folder)
    if done.returncode != 0 and words[0] in {"ci", "install"}:
        pytest.skip(f"npm {words[0]} failed: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gives a copy of the package that is built."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("typescript") / "package"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    npm(folder, "ci", "--no-audit", "--no-fund")
    npm(folder, "run", "build")
    return folder


@pytest.fixture(scope="module")
def project(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gives an empty project in which the packed package is installed."""
    [packed] = json.loads(npm(built, "pack", "--json", "--ignore-scripts"))
    names = {each["path"] for each in packed["files"]}
    assert {"dist/index.js", "dist/index.d.ts", "dist/cli.js", "README.md", "LICENSE"} <= names
    folder = tmp_path_factory.mktemp("empty")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    npm(folder, "install", "--no-audit", "--no-fund", str(built / packed["filename"]))
    installed = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert set(installed) == {"", "node_modules/@tracestore/client"}, "it has a dependency"
    return folder


def test_the_published_shape_is_what_runtimes_and_bundlers_resolve(built: Path) -> None:
    told = npm(built, "run", "check")
    assert "All good!" in told and "(ESM)" in told


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1)) as running:
        yield running


def node(project: Path, *words: str, text: str | None = None, check: bool = True) -> Any:
    """Runs a program in the project."""
    if text is not None:
        (project / words[0]).write_text(text)
    return processes.run(["node", *words], cwd=project, env=environment(), check=check)


def environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if "TRACESTORE" not in key}


RUNTIMES = {"node": ["node"], "bun": ["bun"], "deno": ["deno", "run", "--allow-all"]}


@pytest.fixture
def runtime(project: Path, name: str) -> list[str]:
    """Gives the command of a runtime; Bun and Deno are packages of the registry."""
    command, *options = RUNTIMES[name]
    if name == "node":
        return [command, *options]
    folder = project.parent / name
    if not folder.exists():
        folder.mkdir()
        (folder / "package.json").write_text('{"private": true}')
        npm(folder, "install", "--no-audit", "--no-fund", name)
    return [str(folder / "node_modules" / ".bin" / command), *options]


@pytest.mark.parametrize("name", RUNTIMES)
def test_both_languages_leave_the_same_behind(
    project: Path, server: Server, tmp_path: Path, runtime: list[str]
) -> None:
    shutil.copy(PROGRAMS / "contract.mjs", project)
    (project / "contract.json").write_text(_quoted(contract.FILE.read_text()))
    command = [*runtime, "contract.mjs", server.url, "contract.json"]
    printed = processes.run(command, cwd=project, env=environment(), check=True).stdout
    from_typescript = _exact(json.loads(printed))
    with Server(ServerSettings(data=tmp_path / "other", port=0, grpc_port=-1)) as other:
        from_python = contract.take(other.url)
        for number, (ours, theirs) in enumerate(zip(from_python, from_typescript, strict=True)):
            step = contract.DOCUMENT["steps"][number]
            assert _seen(theirs) == _seen(json.loads(json.dumps(ours))), step
        for sql in contract.DOCUMENT["asked"]:
            stored = [each.store.sql(sql).rows() for each in (other, server)]
            assert _seen(stored[1]) == _seen(stored[0]), sql


def _quoted(text: str) -> str:
    """Returns JSON whose long integers are marked strings; those inside of strings stay."""
    string_or_long = re.compile(r'"(?:[^"\\]|\\.)*"|(?<![\d.])\d{16,}(?![\d.])')
    return string_or_long.sub(
        lambda found: found[0] if found[0].startswith('"') else f'"bigint:{found[0]}"', text
    )


def _exact(value: Any) -> Any:
    if isinstance(value, list):
        return [_exact(each) for each in value]
    if isinstance(value, dict):
        return {key: _exact(each) for key, each in value.items()}
    if isinstance(value, str) and value.startswith("bigint:"):
        return int(value.removeprefix("bigint:"))
    return value


def _seen(value: Any) -> Any:
    """Returns what both runs must give."""
    if isinstance(value, list):
        return [_seen(each) for each in value]
    if isinstance(value, dict):
        return {key: _seen(each) for key, each in value.items() if key not in VARYING}
    return value


def test_spans_nest_by_the_asynchronous_context(project: Path, server: Server) -> None:
    text = """
        import { Client, currentSpan, init, traced } from "@tracestore/client";
        const client = new Client({ url: process.argv[2] });
        const tracing = init({ client, project: "app", service: "shop" });
        const look = traced(async function look(word) {
          await new Promise((resolve) => setTimeout(resolve, 1));
          currentSpan().set({ metrics: { tokens: 3 } });
          return word.length;
        }, { type: "tool" });
        const fail = traced(() => { throw new TypeError("no"); }, { name: "fail" });
        const all = traced(async function all(words) {
          const lengths = await Promise.all(words.map((word) => look(word)));
          await fail().catch(() => undefined);
          return lengths;
        }, { metadata: { model: "m" } });
        await Promise.all([all(["a", "bb"]), all(["ccc"])]);
        await tracing.shutdown();
        await look("after");
    """
    node(project, "nest.mjs", server.url, text=text)
    rows = server.store.sql(
        "SELECT p.input AS top, s.name, s.type, s.input, s.output, s.status_code, s.error.message AS error, "
        "s.metrics.tokens AS tokens, s.resource.service.name AS service FROM spans s "
        "JOIN spans p ON p.trace_id = s.trace_id AND p.is_root WHERE s.project = 'app' ORDER BY ALL"
    ).rows()
    found = [(row["top"], row["name"], row["input"], row["output"], row["error"]) for row in rows]
    assert found == [
        (["a", "bb"], "all", ["a", "bb"], [1, 2], None),
        (["a", "bb"], "fail", None, None, "TypeError: no"),
        (["a", "bb"], "look", "a", 1, None),
        (["a", "bb"], "look", "bb", 2, None),
        (["ccc"], "all", ["ccc"], [3], None),
        (["ccc"], "fail", None, None, "TypeError: no"),
        (["ccc"], "look", "ccc", 3, None),
    ]
    assert {(row["name"], row["type"], row["tokens"]) for row in rows} == {
        ("all", None, None),
        ("fail", None, None),
        ("look", "tool", 3),
    }
    assert {row["service"] for row in rows} == {"shop"}


def test_a_rows_numbers_keep_every_digit_and_a_loop_may_end_early(
    project: Path, server: Server
) -> None:
    text = """
        import { Client } from "@tracestore/client";
        const client = new Client({ url: process.argv[2] });
        async function* rows() {
          for (let i = 0; i < 120000; i++) yield { name: "n", attributes: { big: 2n ** 60n + BigInt(i), i } };
        }
        const report = await client.insert("spans", rows(), { project: "p" });
        let seen = 0;
        for await (const row of client.sql("SELECT attributes.big AS big, attributes.i AS i FROM spans")) {
          if (row.big !== 2n ** 60n + BigInt(row.i)) throw new Error(String(row.big));
          if (++seen === 1000) break;
        }
        const mistakes = [];
        for (const bad of [client.sql("SELECT 1", [1, 2]), client.sql("SELECT * FROM read_text('x')")]) {
          await bad.then(() => {}, (error) => mistakes.push([error.name, error.status]));
        }
        const { rows: cut, warnings } = await client.sql("SELECT 1 FROM spans", [], { maxRows: 2 });
        console.log(JSON.stringify([report, seen, mistakes, cut.length, warnings.length]));
    """
    report, seen, mistakes, cut, warnings = json.loads(
        node(project, "rows.mjs", server.url, text=text).stdout
    )
    assert (report["rows"], report["rejected_rows"], seen) == (120_000, 0, 1000)
    assert mistakes == [["TracestoreError", 400], ["TracestoreError", 400]]
    assert (cut, warnings) == (2, 1)


def test_a_server_that_is_busy_is_asked_again_as_it_says(project: Path) -> None:
    text = """
        import { createServer } from "node:http";
        import { Client } from "@tracestore/client";
        const times = [];
        const server = createServer((request, answer) => {
          times.push(Date.now());
          const busy = times.length < 3;
          answer.writeHead(busy ? 503 : 200, busy ? { "Retry-After": "0" } : { "Content-Type": "application/json" });
          answer.end('{"rows":1,"rejected_rows":0,"rejected":[]}');
        }).listen(0, "127.0.0.1", async () => {
          const client = new Client({ url: `http://127.0.0.1:${server.address().port}` });
          console.log((await client.insert("spans", [{ name: "x" }])).rows, times.length);
          server.close();
        });
    """
    assert node(project, "busy.mjs", text=text).stdout.split() == ["1", "3"]


def test_the_command_runs_files_and_keeps_bounds(project: Path, server: Server) -> None:
    (project / "sums.eval.mjs").write_text("""
        import { Eval } from "@tracestore/client";
        Eval("cli", {
          experiment: "sums",
          data: [{ input: 1, expected: 1 }, { input: 2, expected: 3 }],
          task: (input) => input,
          scores: [function exact({ output, expected }) { return output === expected; }],
        });
    """)
    command = ["npx", "--no-install", "tracestore", "eval", "sums.eval.mjs", "--url", server.url]
    kept = processes.run([*command, "--fail-under", "exact=0.5"], cwd=project)
    assert kept.returncode == 0, kept.stderr
    assert "exact  0.500" in kept.stdout
    missed = processes.run([*command, "--fail-under", "exact=0.6"], cwd=project)
    assert missed.returncode == 1
    assert "exact is 0.500; want 0.6 or more" in missed.stderr
    [row] = server.store.sql("SELECT count(*) AS n FROM experiments WHERE project = 'cli'").rows()
    assert row["n"] == 2
    assert processes.run(["npx", "--no-install", "tracestore", "nosuch"], cwd=project).returncode


def test_spans_of_opentelemetry_join_a_case_and_go_with_it(
    project: Path, server: Server, tmp_path: Path
) -> None:
    folder = tmp_path / "otel"
    shutil.copytree(project, folder, symlinks=True)
    npm(
        folder,
        "install",
        "--no-audit",
        "--no-fund",
        "@opentelemetry/api",
        "@opentelemetry/sdk-trace-node",
    )
    text = """
        import { trace } from "@opentelemetry/api";
        import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
        import { Client, Eval, init, traced } from "@tracestore/client";
        const client = new Client({ url: process.argv[2] });
        const tracing = init({ client, project: "app" });
        new NodeTracerProvider({ spanProcessors: [tracing.spanProcessor] }).register();
        const tracer = trace.getTracer("instrumentation");
        const inner = traced(function inner() { return 1; });
        const call = () => tracer.startActiveSpan("chat", async (span) => {
          span.setAttribute("gen_ai.usage.input_tokens", 5);
          await inner();
          span.end();
          return "x";
        });
        await Eval("app", { client, experiment: "e", summary: false, data: [{ input: "q" }], task: call,
          scores: [async function judge() { await call(); return 1; }] });
        await call();
        await tracing.flush();
    """
    node(folder, "otel.mjs", server.url, text=text)
    rows = server.store.sql(
        "SELECT s.experiment, s.name, p.name AS parent, s.attributes.tracestore.purpose AS purpose "
        "FROM spans s LEFT JOIN spans p ON p.trace_id = s.trace_id AND p.span_id = s.parent_span_id ORDER BY ALL"
    ).rows()
    found = [(row["experiment"], row["name"], row["parent"]) for row in rows]
    assert found == [
        ("e", "call", "case"),
        ("e", "case", None),
        ("e", "chat", "call"),
        ("e", "chat", "judge"),
        ("e", "inner", "chat"),
        ("e", "inner", "chat"),
        ("e", "judge", "case"),
        (None, "chat", None),
        (None, "inner", "chat"),
    ]


def test_a_prompt_runs_and_streams_as_in_python(project: Path, tmp_path: Path) -> None:
    text = """
        import { Client } from "@tracestore/client";
        const prompt = await new Client({ url: process.argv[2] }).prompts.get("topic");
        const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
        const run = await prompt.run({ question: "my parcel" }, { traceparent });
        const parts = [];
        for await (const part of prompt.stream({ question: "my bill" }, { model: "stub-slow" })) parts.push(part);
        const last = parts.pop();
        const failures = [];
        for (const model of ["nosuch", "stub-cut"]) {
          await prompt.run({ question: "x" }, { model }).catch((error) => failures.push([error.status, error.message]));
        }
        await (async () => { for await (const _ of prompt.stream({}, { model: "stub-cut" })); })()
          .catch((error) => failures.push([error.status, error.message]));
        console.log(JSON.stringify([run.output, run.trace_id, parts.join(""), last.output, failures]));
    """
    with stub_model.serving() as stub:
        settings = ServerSettings(
            data=tmp_path / "prompts",
            port=0,
            grpc_port=-1,
            providers={"stub": ProviderSettings(kind="openai", base_url=f"{stub.url}/v1")},
        )
        with Server(settings) as server, Client(server.url) as client:
            body = {
                "messages": [{"role": "user", "content": "{{input.question}}"}],
                "provider": "stub",
                "model": "stub",
            }
            output = client.prompts.create("topic", body).run({"question": "my parcel"}).output
            printed = node(project, "prompts.mjs", server.url, text=text).stdout
    ran, trace_id, streamed, last, failures = json.loads(printed)
    assert (ran, trace_id, streamed) == (output, "a" * 32, last)
    assert streamed.endswith("about your invoice. my bill")
    assert [status for status, _ in failures] == [502, 502, 502]
    assert "does not exist" in failures[0][1]
    assert "ends in the middle" in failures[2][1]


def test_types_hold_in_a_strict_project(project: Path, built: Path) -> None:
    (project / "types.ts").write_text("""
        import { Client, dataset, Eval, type Scorer, traced } from "@tracestore/client";
        const client = new Client({ url: "http://127.0.0.1:1" });
        export async function main(): Promise<number> {
          const { rows } = await client.sql<{ n: number }>("SELECT 1 AS n");
          for await (const row of client.sql<{ n: number }>("SELECT 1 AS n")) if (row.n > 1) return row.n;
          const exact: Scorer<string, string, string> = ({ output, expected }) => output === expected;
          const data = [{ input: "a", expected: "A" }];
          const result = await Eval("p", { client, data, task: (input) => input.toUpperCase(), scores: [exact] });
          await Eval("p", { client, data: dataset("d", "golden"), task: (input: { q: string }) => input.q });
          const length = traced((text: string) => text.length);
          const run = await (await client.prompts.get("p", { label: "production" })).run<{ topic: string }>({ q: 1 });
          if (run.output.topic) return run.usage["tokens"] ?? 0;
          // @ts-expect-error a number is no text
          await length(1);
          return (rows[0]?.n ?? 0) + (result.scores["exact"]?.mean ?? 0) + (await length("x"));
        }
    """)
    options = (
        "--noEmit --strict --module nodenext --target es2022 --skipLibCheck false --types node"
    )
    roots = ["--typeRoots", str(built / "node_modules" / "@types")]
    compiler = str(built / "node_modules" / "typescript" / "bin" / "tsc")
    node(project, compiler, *options.split(), *roots, "types.ts")


def test_the_guides_program_prints_what_it_says(project: Path, server: Server) -> None:
    page = (ROOT / "docs" / "guide" / "typescript.md").read_text()
    blocks = re.findall(r"```js\n(.*?)```\s*```text\n(.*?)```", page, re.DOTALL)
    assert blocks
    for number, (code, output) in enumerate(blocks):
        program = code.replace("http://127.0.0.1:4318", server.url)
        assert node(project, f"guide{number}.mjs", text=program).stdout == output


def test_the_version_is_the_servers(server: Server) -> None:
    manifest = json.loads((SOURCE / "package.json").read_text())
    document = httpx.get(f"{server.url}/openapi.json").json()
    assert manifest["version"] == document["info"]["version"]
    assert "dependencies" not in manifest
    assert "resolved" not in (SOURCE / "package-lock.json").read_text()
