"""What the pages on instrumenting and operations show is taken by what reads it: settings, units, images, commands."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import tracestore
from data import processes
from tracestore.cli import app
from tracestore.server import ServerSettings

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide"
PAGES = ("instrument.md", "operations.md")


def blocks(page: str, language: str) -> list[str]:
    text = (GUIDE / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands() -> Iterator[str]:
    for page in PAGES:
        for block in blocks(page, "console"):
            yield from re.findall(r"^\$ (tracestore .*)$", block, re.MULTILINE)
        text = (GUIDE / page).read_text(encoding="utf-8")
        yield from re.findall(r"`(tracestore [a-z][^`]*)`", text)


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_a_command_and_its_options_are_there(command: str) -> None:
    group: Any = typer.main.get_command(app)
    words = shlex.split(command)[1:]
    while hasattr(group, "get_command") and words and not words[0].startswith("-"):
        name = words.pop(0)
        found = group.get_command(None, name)
        assert found is not None, f"no command {name}"
        group = found
    options = {text for each in group.params for text in (*each.opts, *each.secondary_opts)}
    assert [word for word in words if word.startswith("--") and word not in options] == []


def setting(name: str) -> str:
    assert name.startswith("TRACESTORE_")
    return name.removeprefix("TRACESTORE_").lower()


@pytest.mark.parametrize("page", [*PAGES, "serving.md"])
def test_settings_by_environment_are_the_programs(page: str) -> None:
    names = set(re.findall(r"\b(TRACESTORE_[A-Z_]+)", (GUIDE / page).read_text(encoding="utf-8")))
    others = {"TRACESTORE_API_KEY", "TRACESTORE_URL"}
    unknown = {name for name in names - others if setting(name) not in ServerSettings.model_fields}
    assert unknown == set()


def test_the_unit_is_one(tmp_path: Path) -> None:
    (text,) = blocks("operations.md", "ini")
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names of units have capitals
    unit.read_string(text)
    assert unit["Service"]["ExecStart"].split()[1:] == ["serve"]
    assert unit["Service"]["Restart"] == "always"
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return
    # The program and the user are those of this machine; all else is as the page has it.
    text = re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", text, flags=re.MULTILINE)
    file = tmp_path / "tracestore.service"
    file.write_text(text.replace("User=tracestore", "User=root"))
    done = processes.run([analyze, "verify", "--man=no", str(file)])
    assert f"{file}:" not in done.stderr
    assert "Unknown" not in done.stderr


def test_the_image_runs_the_server() -> None:
    (text,) = blocks("operations.md", "dockerfile")
    joined = text.replace("\\\n", " ")
    steps = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
    known = {"FROM", "RUN", "USER", "ENV", "VOLUME", "EXPOSE", "HEALTHCHECK", "CMD"}
    assert {name for name, _ in steps} <= known
    by_name = dict(steps)
    assert by_name["CMD"] == '["tracestore", "serve"]'
    ports = {str(ServerSettings.model_fields[name].default) for name in ("port", "grpc_port")}
    assert set(by_name["EXPOSE"].split()) == ports
    assert "/healthz" in by_name["HEALTHCHECK"]
    # Nobody runs as root what strangers send to.
    assert "USER" in by_name


def test_the_proxy_lets_through_what_the_server_takes() -> None:
    (text,) = blocks("operations.md", "nginx")
    assert text.count("{") == text.count("}")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    assert all(line.endswith((";", "{", "}")) for line in lines)
    told = dict(line.rstrip(";").split(None, 1) for line in lines if line.endswith(";"))
    assert told["client_max_body_size"] == f"{tracestore_limit_mib()}m"
    assert told["proxy_buffering"] == "off"
    assert told["proxy_pass"].endswith(f":{ServerSettings.model_fields['port'].default}")


def tracestore_limit_mib() -> int:
    from tracestore.limits import MAX_PAYLOAD_BYTES

    return MAX_PAYLOAD_BYTES // 2**20


def test_prices_in_a_file_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = blocks("instrument.md", "toml")
    assert tomllib.loads(text)["prices"]
    (tmp_path / "tracestore.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    settings = ServerSettings(data=tmp_path / "store")
    assert settings.prices["my-model"]["output"] == 1.5
    tracestore.open(tmp_path / "store", prices=settings.prices).close()
