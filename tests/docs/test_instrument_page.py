"""What the page on instrumenting shows of each language is run as it stands, with the variables of the page alone."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from data import processes
from tracestore.server import Server, ServerSettings

PAGE = Path(__file__).resolve().parents[2].joinpath("docs/guide/instrument.md").read_text("utf-8")


def section(title: str) -> str:
    """Returns what stands below a heading of the page."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found, title
    return found[1]


def blocks(title: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)


def commands(title: str) -> list[list[str]]:
    [block] = blocks(title, "console")
    return [shlex.split(line) for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1)) as running:
        yield running


@pytest.fixture
def environment(server: Server) -> dict[str, str]:
    """Returns this process's variables with those that the page exports, for the server of the test."""
    exported = dict(words[1].split("=", 1) for words in commands("Any language, by environment"))
    assert exported["OTEL_EXPORTER_OTLP_ENDPOINT"].endswith(":4318")
    others = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return {**others, **exported, "OTEL_EXPORTER_OTLP_ENDPOINT": server.url}


def sent(server: Server) -> list[dict[str, Any]]:
    sql = "SELECT project, service, name, resource.telemetry.sdk.language AS language FROM spans ORDER BY start_ns"
    return server.store.sql(sql).rows()


MANUAL = """
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
with provider.get_tracer("page").start_as_current_span("by the environment"):
    pass
provider.shutdown()
"""


def test_the_variables_of_the_page_are_all_that_an_sdk_needs(
    server: Server, environment: dict[str, str]
) -> None:
    processes.run([sys.executable, "-c", MANUAL], env=environment, check=True)
    [row] = sent(server)
    assert (row["project"], row["service"], row["name"]) == ("shop", "shop", "by the environment")


def test_python_is_reported_by_a_command_alone(
    server: Server, environment: dict[str, str], tmp_path: Path
) -> None:
    pytest.importorskip("opentelemetry.distro", reason="opentelemetry-distro is not installed")
    (tmp_path / "app.py").write_text(
        "from opentelemetry import trace\n"
        "with trace.get_tracer('app').start_as_current_span('charge'):\n    pass\n"
    )
    *_, (program, *arguments) = commands("Python")
    assert (program, arguments) == ("opentelemetry-instrument", ["python", "app.py"])
    here = Path(sys.executable).parent
    environment["PATH"] = f"{here}:{environment['PATH']}"
    processes.run([str(here / program), *arguments], cwd=tmp_path, env=environment, check=True)
    rows = sent(server)
    assert ("shop", "shop", "charge", "python") in [tuple(row.values()) for row in rows]


@pytest.fixture(scope="session")
def node_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with what the page has npm install."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("node")
    install, _ = commands("Node")
    assert install[:2] == ["npm", "install"]
    done = processes.run([*install, "--no-audit", "--no-fund", "--silent"], cwd=folder)
    if done.returncode != 0:
        pytest.skip(f"npm could not install the instrumentations: {done.stderr[-300:]}")
    return folder


def test_node_is_reported_by_a_command_alone(
    server: Server, environment: dict[str, str], node_packages: Path
) -> None:
    [program] = blocks("Node", "javascript")
    (node_packages / "app.js").write_text(program)
    _, run = commands("Node")
    done = processes.run(run, cwd=node_packages, env=environment, check=True)
    assert "ok\n" in done.stdout
    rows = sent(server)
    assert {(row["project"], row["service"], row["language"]) for row in rows} == {
        ("shop", "shop", "nodejs")
    }
    # The call and what it calls.
    assert len([row for row in rows if row["name"].startswith("GET")]) >= 2


def test_go_is_reported_by_the_programs_own_exporter(
    server: Server, environment: dict[str, str], tmp_path: Path
) -> None:
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    [program] = blocks("Go", "go")
    (tmp_path / "main.go").write_text(program)
    environment["GOFLAGS"] = "-modcacherw"
    environment["GOPATH"] = str(tmp_path / "modules")
    *fetch, run = commands("Go")
    for command in fetch:
        done = processes.run(command, cwd=tmp_path, env=environment)
        if done.returncode != 0:
            pytest.skip(f"go could not fetch the modules: {done.stderr[-300:]}")
    processes.run(run, cwd=tmp_path, env=environment, check=True)
    [row] = sent(server)
    assert tuple(row.values()) == ("shop", "shop", "charge", "go")


JAVA = """
import java.net.URI;
import java.net.http.*;

public class App {
    public static void main(String[] arguments) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(arguments[0])).build();
        HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
    }
}
"""


def test_java_is_reported_by_the_agent(
    server: Server, environment: dict[str, str], tmp_path: Path
) -> None:
    [command] = commands("Java")
    assert command[1] == "-javaagent:opentelemetry-javaagent.jar"
    agent = os.environ.get("OTEL_JAVAAGENT_JAR")
    if agent is None or shutil.which("java") is None:
        pytest.skip("no java, or OTEL_JAVAAGENT_JAR names no opentelemetry-javaagent.jar")
    (tmp_path / "App.java").write_text(JAVA)
    shutil.copy(agent, tmp_path / "opentelemetry-javaagent.jar")
    run = [*command[:2], "App.java", f"{server.url}/healthz"]
    processes.run(run, cwd=tmp_path, env=environment, check=True)
    assert ("shop", "shop", "GET", "java") in [tuple(row.values()) for row in sent(server)]


def test_the_collectors_pipelines_name_what_they_have() -> None:
    [text] = blocks("Through a collector", "yaml")
    config = yaml.safe_load(text)
    [exporter] = config["exporters"]
    assert config["exporters"][exporter]["endpoint"].endswith(":4318")
    assert "x-tracestore-project" in config["exporters"][exporter]["headers"]
    for pipeline in config["service"]["pipelines"].values():
        assert set(pipeline["receivers"]) <= set(config["receivers"])
        assert set(pipeline["exporters"]) <= set(config["exporters"])
    assert set(config["service"]["pipelines"]) == {"traces", "logs"}
