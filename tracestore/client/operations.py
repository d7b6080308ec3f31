"""What an operator does to a server's store: the verbs of `Store` over HTTP."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tracestore.lazy_module import LazyModule

if TYPE_CHECKING:
    from email import utils as email_utils

    import httpx
else:
    email_utils = LazyModule("email.utils")


class Operations:
    """The verbs that look after a store. They need a key of scope `admin` where keys are asked for."""

    _send: Callable[..., httpx.Response]
    sql: Callable[..., Any]

    def server_time(self) -> datetime.datetime:
        """Returns the server's time; the same as asking whether it answers."""
        told = self._send("GET", "/healthz").headers["date"]
        return email_utils.parsedate_to_datetime(told)

    def stats(self) -> dict[str, Any]:
        """Returns counts of what the store holds and has done."""
        return self._document("GET", "/api/store/stats")

    def nodes(self) -> list[dict[str, Any]]:
        """Returns the nodes that share the server's catalog; none where it is the only writer."""
        listed: list[dict[str, Any]] = self._document("GET", "/api/nodes")["nodes"]
        return listed

    def forget_node(self, node_id: str) -> None:
        """Forgets a node that will not return: its rows that are in no segment are not missed any more."""
        self._send("DELETE", f"/api/nodes/{node_id}")

    def check(self, *, deep: bool = False) -> dict[str, Any]:
        """Verifies the files of the store; `deep` reads every page."""
        return self._document("POST", "/api/store/check", json={"deep": deep}, timeout=None)

    def compact(self, *, full: bool = False) -> dict[str, Any]:
        """Writes what is in memory to segments and merges small ones; `full` merges each day as far as it goes."""
        return self._document("POST", "/api/store/compact", json={"full": full}, timeout=None)

    def publish_iceberg(self) -> dict[str, Any]:
        """Brings the tables of Apache Iceberg up to all that was acknowledged before; returns what changed."""
        return self._document("POST", "/api/iceberg/publish", timeout=None)

    def delete(
        self,
        *,
        where: str = "",
        project: str | None = None,
        tables: Sequence[str] | None = None,
        params: Any = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Removes rows for good, and returns how many from how many segments.

        Args:
            where: a condition of SQL, as after WHERE.
            project: of this project alone; without a condition, the whole project.
            tables: `spans` and `logs`; default spans.
            params: parameters of the condition.
            dry_run: counts the rows and removes none.
        """
        if not where and project is not None and not dry_run:
            return self._document("DELETE", "/api/projects", params={"name": project}, timeout=None)
        total: dict[str, Any] = {"rows": 0, "segments": 0, "faults": []}
        for table in tables or ("spans",):
            body = {
                "where": where,
                "table": table,
                "project": project,
                "params": params,
                "dry_run": dry_run,
            }
            report = self._document("POST", "/api/delete", json=body, timeout=None)
            total = {name: value + report[name] for name, value in total.items()}
        return total

    def projects(self) -> dict[str, int | None]:
        """Returns every project that has rows or a retention, and its retention in days, None for ever."""
        rows = self.sql("SELECT name, retention_days FROM projects ORDER BY name").rows()
        return {row["name"]: row["retention_days"] for row in rows}

    def set_retention(self, project: str, days: int | None) -> None:
        """Sets after how many days the rows of a project expire; None keeps them."""
        body = {"retention_days": days}
        self._document("PUT", "/api/projects", params={"name": project}, json=body)

    def set_cluster_by(self, project: str, columns: Sequence[str] | None) -> None:
        """Sets by which columns and paths the rows of a project's new segments are sorted before time; None by none."""
        body = {"cluster_by": None if columns is None else list(columns)}
        self._document("PUT", "/api/projects", params={"name": project}, json=body)

    def cluster_by(self) -> dict[str, tuple[str, ...]]:
        """Returns the columns that the segments of projects are clustered by; of other projects none are."""
        rows = self.sql("SELECT name, cluster_by FROM projects ORDER BY name").rows()
        return {row["name"]: tuple(row["cluster_by"]) for row in rows if row["cluster_by"]}

    def _document(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        document: dict[str, Any] = self._send(method, path, **options).json()
        return document
