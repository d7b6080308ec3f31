"""A store that is served is copied by a command, and the copy is served in its place."""

from __future__ import annotations

from pathlib import Path

import httpx

from data import processes


def imported(url: str, name: str) -> None:
    rows = b"".join(b'{"name":"%s"}\n' % name.encode() for _ in range(10))
    answer = httpx.post(f"{url}/api/import", content=rows, timeout=processes.HANG_S)
    assert answer.json()["rows"] == 10


def counts(url: str) -> list[list[object]]:
    body = {"sql": "SELECT name, count(*) FROM spans GROUP BY name ORDER BY name"}
    answer = httpx.post(f"{url}/api/query", json=body, timeout=processes.HANG_S)
    rows: list[list[object]] = answer.json()["rows"]
    return rows


def test_a_served_store_is_copied_and_the_copy_is_served_in_its_place(tmp_path: Path) -> None:
    folder, copy = tmp_path / "traces", tmp_path / "copy"
    with processes.serving(folder, "--grpc-port", "-1") as served:
        imported(served.url, "before")
        command = [*processes.TRACESTORE, "backup", str(folder), str(copy)]
        processes.run(command, check=True)
        imported(served.url, "after")
        assert counts(served.url) == [["after", 10], ["before", 10]]
        assert served.stop() == 0
    folder.rename(tmp_path / "traces.before")
    copy.rename(folder)
    with processes.serving(folder, "--grpc-port", "-1") as served:
        assert counts(served.url) == [["before", 10]]
        imported(served.url, "again")
        assert counts(served.url) == [["again", 10], ["before", 10]]
