"""Client, evals and the command line work where engine, store, server and kernels are not installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from data import processes
from tracestore.server import Server, ServerSettings

# What the client needs none of: each import of them fails, as where they are not installed.
ABSENT = """
import sys
from collections.abc import Iterator

class Absent:
    def find_spec(self, name, path=None, target=None):
        heavy = ("duckdb", "sqlalchemy", "sqlglot", "fastapi", "uvicorn", "grpc", "prometheus_client")
        ours = ("tracestore._native", "tracestore.store", "tracestore_query", "tracestore_ingest")
        if name.partition(".")[0] in heavy or name in ours:
            raise ModuleNotFoundError(f"absent: {name}", name=name)

sys.meta_path.insert(0, Absent())
"""

USES = {
    "a client": """
from tracestore import Client
with Client(URL) as client:
    client.insert("spans", [{"name": "light", "attributes": {"n": 1}}])
    print([row["n"] for row in client.sql("SELECT attributes.n AS n FROM spans WHERE name = 'light'").rows()])
""",
    "an eval": """
from tracestore import Eval, scorers
result = Eval("p", data=[{"input": "a", "expected": "A"}], task=lambda text: text.upper(), scores=[scorers.exact_match],
              url=URL, progress=False, summary=False)
print([result.scores["exact_match"].mean])
""",
    "the command line": """
from typer.testing import CliRunner
from tracestore.cli import app
done = CliRunner().invoke(app, ["query", "SELECT 1 AS one", "--url", URL, "--format", "csv"])
print([done.exit_code, "one" in done.output] if done.exit_code == 0 else done.output)
""",
    "reported functions": """
import tracestore
tracing = tracestore.init("p", url=URL)
print([tracestore.traced(lambda: 1)()])
tracing.close()
""",
}
PRINTED = {
    "a client": "[1]",
    "an eval": "[1.0]",
    "the command line": "[0, True]",
    "reported functions": "[1]",
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = ServerSettings(data=tmp_path_factory.mktemp("light") / "s", port=0, grpc_port=-1)
    with Server(settings) as server:
        yield server.url


@pytest.mark.parametrize("use", USES)
def test_it_works_without_engine_server_and_kernels(use: str, url: str, tmp_path: Path) -> None:
    program = f"{ABSENT}\nURL = {url!r}\n{USES[use]}"
    done = processes.run([sys.executable, "-P", "-c", program], cwd=tmp_path)
    assert done.stdout.strip() == PRINTED[use], done.stdout + done.stderr


def test_what_is_missing_is_named_where_it_is_needed(tmp_path: Path) -> None:
    program = f"{ABSENT}\nimport tracestore\ntracestore.open('store')"
    done = processes.run([sys.executable, "-P", "-c", program], cwd=tmp_path)
    assert "absent: " in done.stderr
