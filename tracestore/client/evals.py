"""Datasets and experiments over HTTP: the verbs of `Store.datasets` and `Store.experiments`. Knows HTTP only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

Send = Callable[..., "httpx.Response"]
"""Sends a request and returns its answer; raises ClientError with the server's message."""

PART_BYTES = 16 * 1024 * 1024
"""Rows sent in one request, which becomes one version; the server takes 64 MiB."""


class DatasetClient:
    """The datasets of a server: written, named, listed and read."""

    def __init__(self, send: Send, sql: Callable[..., Any]) -> None:
        self._send = send
        self._sql = sql

    def list(self, name: str | None = None) -> list[dict[str, Any]]:
        """Returns datasets with their versions and snapshots."""
        datasets: list[dict[str, Any]] = self._send(
            "GET", "/api/datasets", params=_known({"name": name})
        ).json()
        return datasets

    def add(
        self,
        name: str,
        rows: Iterable[Mapping[str, Any]] | None = None,
        *,
        sql: str | None = None,
        params: Any = None,
        project: str | None = None,
        timeout_s: float = 600.0,
    ) -> dict[str, Any]:
        """Adds rows, or the rows of a query's answer, and returns the server's report.

        Rows beyond some megabytes become several versions.
        """
        if (rows is None) == (sql is None):
            raise ValueError(f"cannot add to dataset {name!r}: give rows or sql, one of the two")
        if rows is not None:
            return self._send_rows("/api/datasets/rows", name, project, rows)
        body = {"sql": sql, "params": params, "timeout_s": timeout_s}
        report: dict[str, Any] = self._send(
            "POST", "/api/datasets/query", params=_named(name, project), json=body
        ).json()
        return report

    def update(
        self, name: str, rows: Iterable[Mapping[str, Any]], *, project: str | None = None
    ) -> dict[str, Any]:
        """Changes fields of rows that are there, by `id`."""
        return self._send_rows("/api/datasets/update", name, project, rows)

    def delete(
        self, name: str, ids: Iterable[str], *, project: str | None = None
    ) -> dict[str, Any]:
        """Deletes rows by id, from a new version on."""
        report: dict[str, Any] = self._send(
            "POST",
            "/api/datasets/delete",
            params=_named(name, project),
            json={"ids": list(map(str, ids))},
        ).json()
        return report

    def snapshot(
        self, name: str, snapshot: str, *, version: int | None = None, project: str | None = None
    ) -> int:
        """Gives a version (default the newest) a name that stays with it, and returns the version."""
        body = {"snapshot": snapshot, "version": version}
        answer = self._send(
            "POST", "/api/datasets/snapshots", params=_named(name, project), json=body
        )
        return int(answer.json()["version"])

    def drop(self, name: str, *, project: str | None = None) -> int:
        """Removes a dataset with every version for good; returns the stored revisions that went."""
        answer = self._send("DELETE", "/api/datasets", params=_named(name, project))
        return int(answer.json()["revisions"])

    def rows(
        self, name: str, version: int | str | None = None, *, project: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yields the rows as of a version or snapshot (default the newest), in the order they were added."""
        version_sql = "NULL" if version is None else _literal(version)
        owner = "" if project is None else f", {_literal(project)}"
        answer = self._sql(
            "SELECT id, input, expected, metadata, tags, origin "  # noqa: S608 - literals are quoted
            f"FROM dataset({_literal(name)}, {version_sql}{owner}) ORDER BY created_ns",
            timeout_s=600.0,
        )
        yield from answer.rows()

    def _send_rows(
        self, path: str, name: str, project: str | None, rows: Iterable[Mapping[str, Any]]
    ) -> dict[str, Any]:
        total: dict[str, Any] = {}
        for part in _parts(rows):
            report = self._send("POST", path, params=_named(name, project), content=part).json()
            for key in ("added", "updated", "deleted", "unchanged"):
                report[key] += total.get(key, 0)
            total = report
        return total


class ExperimentClient:
    """The experiments of a server: recorded and listed."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def create(
        self,
        name: str,
        *,
        project: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        dataset: str | None = None,
        dataset_version: int | None = None,
        base: str | None = None,
        git_commit: str | None = None,
        unique: bool = False,
    ) -> dict[str, Any]:
        """Records an experiment; of one that is known, what is given replaces what was.

        With `unique` the name is reserved: where it is taken, the record that is returned has a free one.
        """
        body = {
            "metadata": None if metadata is None else dict(metadata),
            "dataset": dataset,
            "dataset_version": dataset_version,
            "base": base,
            "git_commit": git_commit,
            "unique": unique or None,
        }
        record: dict[str, Any] = self._send(
            "POST", "/api/experiments", params=_named(name, project), json=_known(body)
        ).json()
        return record

    def list(self) -> list[dict[str, Any]]:
        """Returns the records of experiments, newest first."""
        records: list[dict[str, Any]] = self._send("GET", "/api/experiments").json()
        return records

    def compare(
        self,
        *names: str,
        project: str | None = None,
        key: str | None = None,
        group_by: str | None = None,
        cases: int = 1000,
    ) -> dict[str, Any]:
        """Compares experiments with the first of them, case by case and in sum."""
        body = {
            "experiments": list(names),
            "project": project,
            "key": key,
            "group_by": group_by,
            "cases": cases,
        }
        comparison: dict[str, Any] = self._send(
            "POST", "/api/experiments/compare", json=_known(body)
        ).json()
        return comparison


def _named(name: str, project: str | None) -> dict[str, str]:
    return _known({"name": name, "project": project})


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _literal(value: int | str) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def _parts(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    lines: list[bytes] = []
    size = 0
    for row in rows:
        line = json.dumps(dict(row), default=str).encode() + b"\n"
        if lines and size + len(line) > PART_BYTES:
            yield b"".join(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    yield b"".join(lines)
