"""Help and the version come at once: no module of a command, the engine or the store is loaded for them."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tracestore
from data import processes
from tracestore.cli import app
from tracestore.cli.command_list import COMMANDS
from tracestore.cli.lazy_group import load, summary

# 0.25 s of CPU is about this many modules of typer, rich and the standard library.
MOST_MODULES = 600

TEXT_WIDTH = 78
"""Columns that help has for text in a terminal of 80."""

LOADED = """
import json, sys
from typer.testing import CliRunner
from tracestore.cli import app
result = CliRunner().invoke(app, sys.argv[1:])
assert result.exit_code == 0, result.output
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_load_little(argument: str) -> None:
    done = processes.run([sys.executable, "-c", LOADED, argument], check=True)
    modules = json.loads(done.stdout)
    heavy = ("duckdb", "pyarrow", "numpy", "httpx", "pydantic", "sqlalchemy", "sqlglot", "fastapi")
    assert [name for name in modules if name.partition(".")[0] in heavy] == []
    assert [name for name in modules if name.startswith("tracestore.cli.commands")] == []
    assert len(modules) < MOST_MODULES


def test_importing_the_package_loads_none_of_its_parts() -> None:
    text = "import json, sys, tracestore; print(json.dumps(sorted(sys.modules)))"
    modules = json.loads(processes.run([sys.executable, "-c", text], check=True).stdout)
    assert [name for name in modules if name.startswith("tracestore.")] == []


def test_a_question_to_a_server_loads_neither_engine_nor_store() -> None:
    text = (
        "import json, sys\nfrom typer.testing import CliRunner\nfrom tracestore.cli import app\n"
        "CliRunner().invoke(app, ['query', 'SELECT 1', '--url', 'http://127.0.0.1:1'])\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    modules = json.loads(processes.run([sys.executable, "-c", text], check=True).stdout)
    assert {"duckdb", "sqlalchemy", "tracestore.store", "tracestore._native"} & set(
        modules
    ) == set()


# 0.6 s of CPU are about this many modules: of the engine, the store, the catalog's database and the command line.
MOST_OF_A_QUESTION = 970


def test_a_question_to_a_folder_loads_no_server(tmp_path: Path) -> None:
    with tracestore.open(tmp_path / "store", background=False) as store:
        store.insert("spans", [{"name": "one"}])
    arguments = ["query", "SELECT count(*) AS n FROM spans", "--data", str(tmp_path / "store")]
    done = processes.run([sys.executable, "-c", LOADED, *arguments], check=True)
    modules = json.loads(done.stdout)
    parts = {name.partition(".")[0] for name in modules}
    assert not parts & {"fastapi", "grpc", "httpx", "opentelemetry", "pandas", "uvicorn"}
    assert not parts & {"tracestore_ingest", "pydantic_monty"}
    assert not {"pyarrow.compute", "pyarrow.dataset", "rich.console"} & set(modules)
    assert len(modules) < MOST_OF_A_QUESTION


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_a_command_what_it_says_itself(name: str) -> None:
    assert COMMANDS[name].help == summary(load(name, COMMANDS[name]))
    assert "Usage" in CliRunner().invoke(app, [name, "--help"]).output


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_fills_its_lines_and_offers_what_is_its_own(name: str) -> None:
    printed = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "80"}).output
    assert "--install-completion" not in printed
    lines = [line.split() for line in printed.split("╭")[0].splitlines()]
    for line, after in itertools.pairwise(lines):
        if line and after:
            assert len(" ".join([*line, after[0]])) > TEXT_WIDTH


def test_the_list_shows_every_command() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    for name, listed in COMMANDS.items():
        assert name in shown
        assert listed.help in shown


def test_every_command_that_reads_or_writes_takes_a_key() -> None:
    for name, listed in COMMANDS.items():
        command = load(name, listed)
        members = getattr(command, "commands", {name: command})
        for member in members.values():
            options = {option for parameter in member.params for option in parameter.opts}
            assert ("--url" in options) == ("--key" in options), f"{name} {member.name}"


def test_an_unknown_format_names_the_known_ones() -> None:
    result = CliRunner().invoke(app, ["query", "SELECT 1", "--format", "xml"])
    assert result.exit_code == 2
    assert "ndjson" in result.output


def test_the_store_loads_no_data_frames() -> None:
    # pyarrow imports pandas, 40 MB, for the first array that is made of a list.
    text = "import json, sys, tracestore.store; print(json.dumps(sorted(sys.modules)))"
    modules = json.loads(processes.run([sys.executable, "-c", text], check=True).stdout)
    assert "pandas" not in modules


# 50 ms of CPU are about this many modules of the standard library.
MOST_OF_A_CLIENT = 150


def test_a_client_is_imported_without_what_its_first_question_needs() -> None:
    text = "import json, sys; from tracestore import Client, AsyncClient; print(json.dumps(sorted(sys.modules)))"
    modules = json.loads(processes.run([sys.executable, "-I", "-c", text], check=True).stdout)
    foreign = {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)
    assert not foreign & {"httpx", "pyarrow", "numpy", "pandas", "opentelemetry", "rich", "typer"}
    assert len(modules) < MOST_OF_A_CLIENT
