"""Segments that other programs read through lists of their own, and how long their files stay.

1. the files of all live segments are noted in the catalog       crash after: they stay until the next publication
2. the caller names them in its list
3. files that no list names any more are forgotten               crash before: as above
A file that is noted is not removed, though its segment is merged or deleted. One node at a time goes through the steps:
another would forget what is noted and not yet named.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tracestore.errors import StoreFailedError
from tracestore.store.catalog import published_table
from tracestore.store.core import Core
from tracestore.store.nodes import leases
from tracestore.store.nodes.others import flush_others
from tracestore.store.rewrite import garbage
from tracestore.store.rewrite.settling import settled_segments

TABLES: Final = ("spans", "logs")
"""Rows of datasets are revisions, whose meaning is in the catalog."""


@dataclass(frozen=True, slots=True)
class PublishedSegment:
    """A segment to be listed.

    Attributes:
        table, project: of its rows.
        file_key: names its file here.
        location: names it for other programs, as a URL.
        rows: how many it has; all of them count.
    """

    table: str
    project: str
    file_key: str
    location: str
    rows: int


class Publications:
    """The segments of a store as others may list them. One publication at a time: see `alone`."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @property
    def catalog_url(self) -> str | None:
        """Returns the URL of the catalog's database, None for SQLite in the store's folder."""
        return self._core.settings.catalog_url

    @property
    def segments_url(self) -> str | None:
        """Returns the URL that segments live below, None for the store's folder."""
        return self._core.settings.segments_url

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps other nodes from publishing meanwhile; waits for one that does.

        Raises StoreFailedError where that takes too long.
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(leases.holding(self._core, "publish", wait_s=leases.WAIT_S))
            except leases.TakenError as error:
                raise StoreFailedError(
                    f"cannot publish: another node has published for {leases.WAIT_S:.0f} s; try again"
                ) from error
            yield

    def take(self) -> list[PublishedSegment]:
        """Returns every segment with all that was acknowledged before; their files stay until `release`.

        Segments with rows that do not count, with patches, or with rows of several days are rewritten first.
        """
        core = self._core
        core.require_writable()
        with core.maintenance, leases.holding_all(core):
            flush_others(core)
            rows = [row for row in settled_segments(core) if row.table in TABLES]
            with core.catalog.writing() as connection:
                published_table.add_in(connection, {row.file_key for row in rows})
        location = core.segments.files.location
        return [
            PublishedSegment(row.table, row.project, row.file_key, location(row.file_key), row.rows)
            for row in rows
        ]

    def path_of(self, segment: PublishedSegment) -> Path:
        """Returns the local path of a segment's file; fetches it from an object store if need be."""
        return self._core.segments.files.local(segment.file_key)

    def release(self, listed: Collection[str]) -> int:
        """Lets the files go that no list names any more, given the locations of all that some list names.

        Returns how many files were removed.
        """
        core = self._core
        core.require_writable()
        location = core.segments.files.location
        with core.catalog.writing() as connection:
            noted = published_table.read_in(connection)
            gone = {file_key for file_key in noted if location(file_key) not in listed}
            published_table.remove_in(connection, gone)
        # crash here: files of merged segments are garbage like any other -> the next collection removes them
        with core.maintenance:
            return garbage.collect(core)
