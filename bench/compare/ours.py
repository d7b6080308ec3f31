"""tracestore, embedded."""

from __future__ import annotations

from pathlib import Path as File
from typing import ClassVar

import tracestore.embedded  # whole, as the other systems' modules are, before anything is timed
from bench.compare.questions import Path
from bench.compare.system import Rows, System
from bench.datagen.workloads import BATCH_ROWS
from tracestore.variant import format_path


class Tracestore(System):
    """A store in a folder; every batch is synced."""

    title = "tracestore"
    package = "tracestore"
    settings = "defaults; every batch of 10,000 rows synced to disk before the next, then compacted"
    cluster_by: ClassVar[tuple[str, ...]] = ()

    def load(self, file: File) -> None:
        """Inserts batch by batch, as a client would."""
        with tracestore.open(self.folder) as store, file.open("rb") as lines:
            if self.cluster_by:
                store.set_cluster_by("default", self.cluster_by)
            while batch := b"".join(
                line for _, line in zip(range(BATCH_ROWS), lines, strict=False)
            ):
                store.insert(self.workload.table, batch)
            store.flush()
            store.compact(full=True)

    def open(self) -> None:
        """Opens the store and its engine, which starts with the first query."""
        self._store = tracestore.open(self.folder, background=False)
        self._store.sql("SELECT 1 AS one").arrow()

    def close(self) -> None:
        """Closes the store."""
        self._store.close()

    def ask(self, text: str) -> Rows:
        """Returns the rows as Python values."""
        return [tuple(row.values()) for row in self._store.sql(text, timeout_s=None).rows()]

    def table(self) -> str:
        """Returns the table."""
        return self.workload.table

    def path(self, name: str, path: Path) -> str:
        """Returns the path as anybody would write it."""
        del name
        return format_path([path.variant, *path.keys])

    def messages(self, path: Path) -> str:
        """Unnests the list."""
        list_ = self.path("messages", path)
        return f"(SELECT m.role AS role FROM spans AS s, unnest(s.{list_}) AS m)"


class Clustered(Tracestore):
    """The same, whose segments are sorted by what the questions on events compare, as ClickHouse's rows are."""

    title = "tracestore, clustered"
    settings = (
        "as tracestore; the project is clustered by kind, operation, collection and did before time"
    )
    cluster_by = ("body.kind", "body.commit.operation", "body.commit.collection", "body.did")
