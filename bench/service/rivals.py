"""Loads other servers with the same OTLP: `python -m bench.service.rivals phoenix=VENV mlflow=VENV [--seconds 20]`.

Each lives in a virtual environment of its own (`pip install arize-phoenix`, `pip install mlflow`): their
requirements fit neither ours nor each other's.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from bench.report import Result, keep, peak_bytes, show
from bench.service.__main__ import SENDERS, percentile

PATIENCE_S = 180.0


def free_port() -> int:
    """Returns a port of the loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def command_of(
    name: str, venv: Path, port: int, folder: Path
) -> tuple[list[str], dict[str, str], dict[str, str]]:
    """Returns how a server is started, its environment, and the headers that its OTLP wants."""
    programs = venv / "bin"
    if name == "phoenix":
        environment = {
            "PHOENIX_WORKING_DIR": str(folder),
            "PHOENIX_PORT": str(port),
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_GRPC_PORT": str(free_port()),
            "PHOENIX_TELEMETRY_ENABLED": "false",
        }
        return [str(programs / "phoenix"), "serve"], environment, {}
    store = f"sqlite:///{folder}/mlflow.db"
    command = [str(programs / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", store, "--default-artifact-root", str(folder)]
    return command, {"MLFLOW_DISABLE_TELEMETRY": "true"}, {"x-mlflow-experiment-id": "0"}


def version_of(venv: Path, package: str) -> str:
    """Returns an installed version."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run(
        [venv / "bin" / "python", "-c", code], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def measure(name: str, venv: Path, seconds: float) -> list[Result]:
    """Returns spans a second, acknowledgement times, memory and bytes of a server under load."""
    package = {"phoenix": "arize-phoenix", "mlflow": "mlflow"}[name]
    version = version_of(venv, package)

    def note(metric: str, value: float, unit: str, why: str = "") -> Result:
        return Result("small spans", "service", package, version, metric, value, unit, 0.0, why)

    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        port = free_port()
        command, environment, headers = command_of(name, venv, port, folder)
        server = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            if not _answers(url, server):
                return [note("cannot", 0.0, "", f"did not answer within {PATIENCE_S:.0f} s")]
            answers = _load(url, seconds, headers)
            memory = peak_bytes(server.pid) / 1e6
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=60)
    sent = sum(answer["spans"] for answer in answers)
    if not sent:
        return [note("cannot", 0.0, "", "refused the load")]
    acks = [ms for answer in answers for ms in answer["ack_ms"]]
    return [
        note("ingest", sent / max(answer["seconds"] for answer in answers), "spans/s"),
        note("acknowledgement, p50", statistics.median(acks), "ms"),
        note("acknowledgement, p99", percentile(acks, 0.99), "ms"),
        note("peak resident memory", memory, "MB", "of the first process"),
    ]  # fmt: skip


def _load(url: str, seconds: float, headers: dict[str, str]) -> list[dict[str, Any]]:
    sender = [sys.executable, "-m", "bench.service.sender", url, str(seconds)]
    senders = [
        subprocess.Popen([*sender, str(number), json.dumps(headers)], stdout=subprocess.PIPE, text=True)
        for number in range(SENDERS)
    ]  # fmt: skip
    texts = [each.communicate()[0] for each in senders]
    return [json.loads(text) for text in texts if text]


def _answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    stop_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < stop_s and server.poll() is None:
        try:
            httpx.get(url, timeout=5)
        except httpx.HTTPError:
            time.sleep(0.5)
        else:
            return True
    return False


def main() -> None:
    """Measures each server that is named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("servers", nargs="+", metavar="NAME=VENV")
    parser.add_argument("--seconds", type=float, default=20.0)
    chosen = parser.parse_args()
    results: list[Result] = []
    for each in chosen.servers:
        name, venv = each.split("=")
        results += measure(name, Path(venv).resolve(), chosen.seconds)
    keep(results, "service-rivals", quick=chosen.seconds < 10)
    show(results)


if __name__ == "__main__":
    main()
