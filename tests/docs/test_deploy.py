"""The examples of deployments name settings, commands, ports and routes that there are, and what can run here runs."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
import zstandard

import tracestore
from data import payloads, processes
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "docs" / "deploy"
GUIDE = ROOT / "docs" / "guide"

CLIENT_VARIABLES = {"TRACESTORE_API_KEY", "TRACESTORE_URL"}
EXPORTER_FIELDS = {
    "endpoint",
    "compression",
    "headers",
    "retry_on_failure",
    "sending_queue",
    "timeout",
    "tls",
    "encoding",
}
"""Fields of the collector's exporter of OTLP over HTTP that an example may use."""

COMPRESSIONS = {"none", "gzip", "zstd", "deflate"}


def documents(name: str) -> list[Any]:
    return [each for each in yaml.safe_load_all((DEPLOY / name).read_text()) if each is not None]


def strings(value: Any) -> Iterator[str]:
    """Yields every text of a document, keys too."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield str(key)
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda path: path.name)
def test_each_variable_is_a_setting(path: Path) -> None:
    known = {
        f"TRACESTORE_{name.upper()}" for name in ServerSettings.model_fields
    } | CLIENT_VARIABLES
    assert set(re.findall(r"TRACESTORE_[A-Z_]+", path.read_text())) <= known


def test_the_guide_shows_what_the_files_are() -> None:
    assert (DEPLOY / "Dockerfile").read_text() in (GUIDE / "operations.md").read_text()
    [shown] = re.findall(
        r"```yaml\n(receivers:.*?)```", (GUIDE / "instrument.md").read_text(), re.DOTALL
    )
    short, [whole] = yaml.safe_load(shown), documents("collector.yaml")
    exporter = whole["exporters"]["otlphttp/tracestore"]
    assert short["exporters"]["otlphttp/tracestore"].items() <= exporter.items()
    [provisioned] = re.findall(
        r"```yaml\n(apiVersion:.*?)```", (GUIDE / "tempo.md").read_text(), re.DOTALL
    )
    assert yaml.safe_load(provisioned) == documents("grafana.yaml")[0]


def test_the_collectors_pipelines_name_what_is_there() -> None:
    [config] = documents("collector.yaml")
    for pipeline in config["service"]["pipelines"].values():
        for kind, names in pipeline.items():
            assert set(names) <= config[kind].keys()
    assert set(config["service"]["extensions"]) <= config["extensions"].keys()
    exporter = config["exporters"]["otlphttp/tracestore"]
    assert exporter.keys() <= EXPORTER_FIELDS
    assert exporter["compression"] in COMPRESSIONS
    assert exporter["sending_queue"]["storage"] in config["extensions"]


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_what_the_collectors_exporter_sends_is_stored(tmp_path: Path, signal: str) -> None:
    [config] = documents("collector.yaml")
    exporter = config["exporters"]["otlphttp/tracestore"]
    folder = tmp_path / "store"
    tracestore.open(folder, background=False).close()
    ring = KeyRing(folder)
    key = ring.create("collector", ("ingest",))[1]
    ring.close()
    headers = {
        name: value.replace("${env:TRACESTORE_API_KEY}", key)
        for name, value in exporter["headers"].items()
    }
    body = payloads.request(signal, 1, rows=2).SerializeToString()
    with Server(ServerSettings(data=folder, port=0, grpc_port=-1, require_keys=True)) as server:
        url = exporter["endpoint"].replace("http://tracestore:4318", server.url)
        # The exporter adds the signal's path to its endpoint.
        answer = httpx.post(
            f"{url}/v1/{signal}",
            content=zstandard.compress(body),
            headers={
                **headers,
                "content-encoding": exporter["compression"],
                "content-type": "application/x-protobuf",
            },
        )
        assert answer.status_code == 200
        table = {"traces": "spans", "logs": "logs"}[signal]
        project = exporter["headers"]["x-tracestore-project"]
        sql = f"SELECT count(*) AS n FROM {table} WHERE project = '{project}'"
        assert server.store.sql(sql).rows()[0]["n"] > 0


def test_compose_connects_what_it_names() -> None:
    [compose] = documents("compose.yaml")
    services = compose["services"]
    for service in services.values():
        assert set(service.get("depends_on", ())) <= services.keys()
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert (
                (DEPLOY / source).exists()
                if source.startswith("./")
                else source in compose["volumes"]
            )
        for port in service["ports"]:
            assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port)
    hosts = {
        match[1]
        for name in ("collector.yaml", "grafana.yaml")
        for text in strings(documents(name))
        if (match := re.match(r"http://(\w+):4318", text))
    }
    assert hosts == {"tracestore"} <= services.keys()


def kubernetes() -> tuple[Any, Any]:
    service, stateful = documents("kubernetes.yaml")
    assert (service["kind"], stateful["kind"]) == ("Service", "StatefulSet")
    return service, stateful


def test_kubernetes_connects_what_it_names() -> None:
    service, stateful = kubernetes()
    spec = stateful["spec"]
    pod = spec["template"]["spec"]
    [container] = pod["containers"]
    labels = spec["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == spec["selector"]["matchLabels"] == labels
    assert spec["serviceName"] == service["metadata"]["name"]
    assert spec["replicas"] == 1
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for port in service["spec"]["ports"]:
        assert ports[port["targetPort"]] == port["port"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    volumes |= {claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]}
    for each in (*pod["initContainers"], container):
        assert {mount["name"] for mount in each["volumeMounts"]} <= volumes
    fields = ServerSettings.model_fields
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert ports == {
        "http": fields["port"].default,
        "otlp-grpc": fields["grpc_port"].default,
        "flight": int(environment["TRACESTORE_FLIGHT_PORT"]),
    }


def test_the_first_start_of_kubernetes_makes_one_key_and_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, stateful = kubernetes()
    pod = stateful["spec"]["template"]["spec"]
    folder = tmp_path / "data"
    [first] = pod["initContainers"]
    shell, option, script = first["command"]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    printed = [
        processes.run([shell, option, script.replace("/data", str(folder))], env=environment).stdout
        for _ in range(2)
    ]
    assert printed[0].strip() and not printed[1].strip()
    [container] = pod["containers"]
    assert container["command"] == ["tracestore", "serve"]
    for each in container["env"]:
        monkeypatch.setenv(each["name"], each["value"].replace("/data", str(folder)))
    for name, value in (
        ("HOST", "127.0.0.1"),
        ("PORT", "0"),
        ("GRPC_PORT", "0"),
        ("FLIGHT_PORT", "0"),
    ):
        monkeypatch.setenv(f"TRACESTORE_{name}", value)
    settings = ServerSettings(require_keys=True)
    assert settings.data == folder
    with Server(settings) as server:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            path = container[probe]["httpGet"]["path"]
            assert httpx.get(f"{server.url}{path}").status_code == 200
        assert httpx.get(f"{server.url}/api/schema").status_code == 401
        [key] = re.findall(r"\S{20,}", printed[0])
        headers = {"Authorization": f"Bearer {key}"}
        assert httpx.get(f"{server.url}/api/schema", headers=headers).status_code == 200
