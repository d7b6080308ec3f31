"""`tracestore-client` does its work where nothing but it and what it requires is installed."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from data import processes
from tracestore.server import Server, ServerSettings

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "clients" / "python"
PROJECT = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]

# Runs without the hooks of site-packages, so that no module of the checkout is found; what is neither of Python, of the
# wheel, nor required by it is absent.
ALONE = """
import sys

PLACES, KNOWN = {places!r}, {known!r}

class NotRequired:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in KNOWN and not name.startswith("_sysconfigdata"):
            raise ModuleNotFoundError(f"absent: {{name}}", name=name)

sys.meta_path.insert(0, NotRequired())
sys.path[:0] = PLACES
"""

USES = {
    "a client": (
        """
from tracestore import Client
with Client(URL) as client:
    client.insert("spans", [{"name": "light", "attributes": {"n": 1}}])
    print([row["n"] for row in client.sql("SELECT attributes.n AS n FROM spans WHERE name = 'light'").rows()])
""",
        "[1]",
    ),
    "a client with an event loop": (
        """
import asyncio
from tracestore import AsyncClient
async def ask():
    async with AsyncClient(URL) as client:
        return (await client.sql("SELECT 1 AS one")).rows()
print(asyncio.run(ask()))
""",
        "[{'one': 1}]",
    ),
    "an eval": (
        """
from tracestore import Eval, scorers
result = Eval("p", data=[{"input": "a", "expected": "A"}], task=lambda text: text.upper(), scores=[scorers.exact_match],
              url=URL, progress=False, summary=False)
print([result.scores["exact_match"].mean])
""",
        "[1.0]",
    ),
    "reported functions": (
        """
import tracestore
tracing = tracestore.init("p", url=URL)
print([tracestore.traced(lambda: 1)()])
tracing.close()
""",
        "[1]",
    ),
}

TRACE, SPAN = "1" * 32, "2" * 16
FILES = {
    "rows.jsonl": "".join(
        json.dumps({"trace_id": TRACE, "span_id": span_id, "name": name, "attributes": {"n": 1}})
        + "\n"
        for name, span_id in (("first", SPAN), ("second", "3" * 16))
    ),
    "cases.jsonl": '{"id": "a", "input": "a", "expected": "A"}\n{"id": "b", "input": "b"}\n',
    **{
        f"eval_{name}.py": "from tracestore import Eval, dataset\n"
        f"Eval('p', data=dataset('cases'), task=str.upper, scores=[lambda output: 1.0], experiment='{name}')\n"
        for name in ("one", "two")
    },
    "online.py": "def long(output):\n    return 1.0\n\nscores = [long]\n",
}

# Every command that a server answers, in an order in which each finds what it asks for; and a part of what it prints.
COMMANDS = [
    (["import", "rows.jsonl", "--project", "asked"], "2 rows"),
    (
        ["query", "SELECT count(*) AS n FROM spans WHERE project = 'asked'", "--format", "csv"],
        "n\n2\n",
    ),
    (["schema"], "attributes.n"),
    (["trace", TRACE], "first"),
    (["score", TRACE, SPAN, "helpful", "1", "--project", "asked"], "scored helpful"),
    (["dataset", "add", "cases", "cases.jsonl", "--project", "p"], "2 added"),
    (["dataset", "list"], "cases"),
    (["eval", "eval_one.py", "eval_two.py"], "2 cases"),
    (["experiments"], "one"),
    (["compare", "one", "two", "--project", "p"], "two"),
    (["score-online", "online.py", "--once", "--sample", "1"], "scored"),
    (["push", "online.py"], "scorer long: version 1"),
    (["score-online", "--scorer", "long", "--once", "--sample", "1"], "scored"),
    (["export", "--dataset", "cases", "--project", "p", "-o", "cases.csv"], "2 rows"),
    (["export", "--dataset", "cases", "--project", "p", "-o", "cases.parquet"], "2 rows"),
    (["projects", "list"], "asked"),
    (["delete", "--where", "name = 'second'", "--yes"], "1"),
    (["stats"], "segments"),
    (["check"], "faults"),
    (["compact"], "merges"),
    (["doctor"], "found by SQL"),
]

RUN = """
import json, os
from typer.testing import CliRunner
from tracestore.cli import app
from tracestore.errors import TraceStoreError

def ran(arguments):
    done = CliRunner().invoke(app, arguments)
    error = f"{type(done.exception).__name__}: {done.exception}" if done.exit_code else ""
    return [done.exit_code, done.output + error]

print(json.dumps([ran(arguments) for arguments in COMMANDS]))
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = ServerSettings(data=tmp_path_factory.mktemp("light") / "s", port=0, grpc_port=-1)
    with Server(settings) as server:
        yield server.url


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with what the wheel holds."""
    built = tmp_path_factory.mktemp("built")
    arguments = [
        "--no-deps",
        "--no-build-isolation",
        "--quiet",
        "--wheel-dir",
        str(built),
        str(CLIENT),
    ]
    processes.run([sys.executable, "-m", "pip", "wheel", *arguments], check=True)
    [wheel] = built.glob("tracestore_client-*-py3-none-any.whl")
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def required(names: set[str]) -> set[str]:
    """Returns the distributions that are installed with some, themselves included."""
    all_of_them: set[str] = set()
    left = [Requirement(name) for name in names]
    while left:
        name = canonicalize_name(left.pop().name)
        if name not in all_of_them:
            all_of_them.add(name)
            wanted = map(Requirement, importlib.metadata.requires(name) or ())
            left += [
                one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})
            ]
    return all_of_them


@pytest.fixture(scope="module")
def alone(installed: Path) -> str:
    """Returns the head of a program that finds the wheel and what it requires."""
    distributions = required(set(PROJECT["dependencies"]))
    known = {"tracestore", "tracestore_query", *sys.stdlib_module_names}
    for module, owners in importlib.metadata.packages_distributions().items():
        if distributions & {canonicalize_name(owner) for owner in owners}:
            known.add(module)
    places = [str(installed), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    return ALONE.format(places=places, known=known)


def run_alone(program: str, cwd: Path, url: str) -> subprocess.CompletedProcess[str]:
    return processes.run(
        [sys.executable, "-I", "-S", "-c", program],
        cwd=cwd,
        env={**os.environ, "TRACESTORE_URL": url, "COLUMNS": "200"},
    )


@pytest.mark.parametrize("use", USES)
def test_it_works_without_engine_server_and_kernels(
    use: str, url: str, alone: str, tmp_path: Path
) -> None:
    program, printed = USES[use]
    done = run_alone(f"{alone}\nURL = {url!r}\n{program}", tmp_path, url)
    assert done.stdout.strip() == printed, done.stdout + done.stderr


def test_every_command_that_a_server_answers_works(url: str, alone: str, tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    given = [arguments for arguments, _ in COMMANDS]
    done = run_alone(f"{alone}\nCOMMANDS = {given!r}\n{RUN}", tmp_path, url)
    assert done.returncode == 0, done.stderr
    for (arguments, printed), (status, output) in zip(
        COMMANDS, json.loads(done.stdout), strict=True
    ):
        assert (status, printed in output) == (0, True), f"{arguments}: {output}"


@pytest.mark.parametrize(
    "program",
    [
        "import tracestore; tracestore.open('store')",
        "import sys; from tracestore.cli import main; sys.argv[1:] = ['serve']; main()",
        "import sys; from tracestore.cli import main; sys.argv[1:] = ['query', 'SELECT 1', '--data', 'x']; main()",
        "import sys; from tracestore.cli import main; sys.argv[1:] = ['doctor', '--data', 'x']; main()",
    ],
)
def test_what_is_missing_is_named_where_it_is_needed(
    program: str, url: str, alone: str, tmp_path: Path
) -> None:
    done = run_alone(f"{alone}\n{program}", tmp_path, url)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "is not installed; `pip install tracestore` brings all of it" in last
    assert program.startswith("import tracestore;") or done.stderr.count("\n") == 1


def test_the_wheel_holds_nothing_that_is_compiled_and_no_part_of_a_server(installed: Path) -> None:
    files = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    assert not [name for name in files if name.endswith((".so", ".pyx", ".c"))]
    rooms = {name.split("/")[1] for name in files if name.startswith("tracestore/")}
    assert not rooms & {
        "store",
        "segment",
        "variant",
        "_native",
        "serving",
        "server.py",
        "ui",
        "embedded.py",
    }
    assert {"tracestore/py.typed", "tracestore/doors/sql.md"} <= files


def test_both_distributions_require_the_same_versions() -> None:
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(PROJECT["dependencies"]) <= set(whole["dependencies"])
    for extra, wanted in PROJECT["optional-dependencies"].items():
        assert wanted == whole["optional-dependencies"][extra]
