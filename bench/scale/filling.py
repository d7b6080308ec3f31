"""Fills a catalog with segments that have no rows: projects, days and path counts as a busy year leaves them."""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from tracestore.store.catalog import database, packing
from tracestore.store.catalog.catalog import Catalog
from tracestore.store.catalog.schema import tables
from tracestore.store.files import filenames

PROJECTS: Final = tuple(f"project-{number:02d}" for number in range(20))
DAYS: Final = 365
LAST_DAY: Final = 20_600
"""The day of the newest segments: 27 May 2026."""

PATHS: Final = 300
COLUMNS: Final = 60
TAIL_PATHS: Final = 30
SHAPES: Final = 40
"""Sets of paths a project has: services differ, and a service writes the same paths again and again."""

LOGS_SHARE: Final = 0.1
ROWS: Final = 1_000_000
BATCH: Final = 20_000
_COLUMNS: Final = (
    "segment_id", "table_name", "project", "day", "place",
    "rows", "bytes", "crc", "tail_bytes", "tail_crc", "words_bytes", "words_crc", "words_footer_crc", "raw_bytes",
    "min_time_ns", "max_time_ns", "created_ns", "version",
    "leaf_ids", "leaf_rows", "tail_ids", "tail_rows", "unlisted_paths",
)  # fmt: skip
_DAY: Final = _COLUMNS.index("day")
_PLACE: Final = _COLUMNS.index("place")
TYPES: Final = ("str", "str", "str", "i64", "f64", "bool")


@dataclass(frozen=True, slots=True)
class _Shape:
    """The packed paths of one kind of segment.

    Attributes:
        values: the catalog's columns.
        ids: every path, columns first.
    """

    values: tuple[bytes, ...]
    ids: npt.NDArray[np.int64]


def fill(catalog: str | Path, segments: int, folder: Path) -> None:
    """Makes a catalog of so many segments, and of the last day's the names of their tails in a store's folder.

    Planning asks once by which name a segment has its tail: without one, a store looks for that of older versions.
    """
    Catalog(catalog, writable=True, defaults={"store_id": "0" * 26, "segment_format": "1"}).close()
    engine = database.make_engine(catalog, writable=True)
    rng = random.Random(17)
    shapes: dict[tuple[str, str], list[_Shape]] = {}
    paths: list[dict[str, Any]] = []
    for table in ("spans", "logs"):
        for project in PROJECTS:
            owned = [_path(len(paths) + n + 1, table, project, n) for n in range(PATHS)]
            shapes[table, project] = _shapes(rng, [path["path_id"] for path in owned])
            paths += owned
    counts = np.zeros(len(paths) + 1, np.int64)
    try:
        with engine.begin() as connection:
            made = _segments(rng, segments, shapes)
            # The driver's own statement: SQLAlchemy's would take most of the time.
            mark = "?" if engine.dialect.name == "sqlite" else "%s"
            marks = ", ".join(mark for _ in _COLUMNS)
            insert = f"INSERT INTO {tables.SEGMENTS.name} ({', '.join(_COLUMNS)}) VALUES ({marks})"
            while batch := list(itertools.islice(made, BATCH)):
                for values, shape in batch:
                    counts[shape.ids] += 1
                    if values[_DAY] == LAST_DAY:
                        tail = (
                            folder / filenames.SEGMENTS_FOLDER / filenames.tail_key(values[_PLACE])
                        )
                        tail.parent.mkdir(parents=True, exist_ok=True)
                        tail.touch()
                connection.exec_driver_sql(insert, [values for values, _ in batch])
            rows = [{**path, "rows": int(counts[path["path_id"]]) * ROWS} for path in paths]
            connection.execute(tables.PATHS.insert(), [row for row in rows if row["rows"]])
            projects = [
                {"name": name, "created_ns": 0, "retention_days": None} for name in PROJECTS
            ]
            connection.execute(tables.PROJECTS.insert(), projects)
            for key, value in (("catalog_version", segments), ("next_path_id", len(paths) + 1)):
                where = tables.META.c.key == key
                connection.execute(tables.META.update().where(where).values(value=str(value)))
        if engine.dialect.name == "sqlite":
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(sa.text("ANALYZE"))
    finally:
        engine.dispose()


def stored_bytes(catalog: str | Path) -> int:
    """Returns the bytes that a catalog takes on disk."""
    if isinstance(catalog, Path):
        return catalog.stat().st_size
    engine = database.make_engine(catalog, writable=False)
    try:
        with engine.connect() as connection:
            query = sa.select(sa.func.pg_database_size(sa.func.current_database()))
            return int(connection.execute(query).scalar_one())
    finally:
        engine.dispose()


def _path(number: int, table: str, project: str, place: int) -> dict[str, Any]:
    return {
        "path_id": number,
        "table_name": table,
        "project": project,
        "path": f"attributes.service{place % 7}.field{place:03d}",
        "type": TYPES[place % len(TYPES)],
        "first_seen_ns": 0,
        "last_seen_ns": 0,
    }


def _shapes(rng: random.Random, path_ids: list[int]) -> list[_Shape]:
    made = []
    for _ in range(SHAPES):
        chosen = rng.sample(path_ids, COLUMNS + TAIL_PATHS)
        columns, tail = sorted(chosen[:COLUMNS]), sorted(chosen[COLUMNS:])
        values = (
            packing.pack(columns),
            packing.pack(rng.randrange(10_000, ROWS) for _ in columns),
            packing.pack_compressed(tail),
            packing.pack_compressed(rng.randrange(1, 10_000) for _ in tail),
        )
        made.append(_Shape(values, np.array(chosen, np.int64)))
    return made


def _segments(
    rng: random.Random, segments: int, shapes: dict[tuple[str, str], list[_Shape]]
) -> Iterator[tuple[tuple[Any, ...], _Shape]]:
    """Yields the rows of segments in order of time, each over a little more than its share of its day."""
    share_ns = filenames.NS_PER_DAY * DAYS * len(PROJECTS) // segments
    for number in range(segments):
        table = "logs" if rng.random() < LOGS_SHARE else "spans"
        project = PROJECTS[number % len(PROJECTS)]
        at = number / segments * DAYS
        day = LAST_DAY - DAYS + 1 + int(at)
        day_ns = day * filenames.NS_PER_DAY
        start_ns = day_ns + int((at % 1) * filenames.NS_PER_DAY)
        stop_ns = min(start_ns + share_ns * 3 // 2, day_ns + filenames.NS_PER_DAY - 1)
        segment_id = f"01{number:024d}"
        shape = rng.choice(shapes[table, project])
        crc = number * 2_654_435_761 % 2**32
        facts = (
            segment_id,
            table,
            project,
            day,
            _place(table, project, day) + f"{segment_id}.parquet",
        )
        files = (ROWS, 150_000_000, crc, 2_000_000, crc, 20_000_000, crc, crc, 600_000_000)
        times = (start_ns, stop_ns, stop_ns, number + 1)
        yield (*facts, *files, *times, *shape.values, 0), shape


@functools.cache
def _place(table: str, project: str, day: int) -> str:
    return filenames.segment_key(table, project, day, "").removesuffix(".parquet")
