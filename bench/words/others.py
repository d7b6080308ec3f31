"""The same messages in indexes of words: tantivy's and SQLite's FTS5. Each counts the messages that hold a word."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import tantivy

Count = Callable[[str], int]

HEAP_BYTES = 256 * 1024 * 1024


def tantivy_index(folder: Path, batches: Iterable[list[str]]) -> Count:
    """Returns what counts in an index of tantivy, whose segments are merged."""
    folder.mkdir()
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("message", stored=False)
    index = tantivy.Index(builder.build(), str(folder))
    writer = index.writer(heap_size=HEAP_BYTES)
    for batch in batches:
        for message in batch:
            writer.add_document(tantivy.Document(message=message))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    def count(word: str) -> int:
        query = index.parse_query(word, ["message"])
        result: Any = searcher.search(query, limit=1, count=True)  # whose stubs lack the count
        return int(result.count)

    return count


def sqlite_index(path: Path, batches: Iterable[list[str]]) -> Count:
    """Returns what counts in a table of FTS5 that keeps no text, after `optimize`."""
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = off")
    database.execute("CREATE VIRTUAL TABLE t USING fts5(message, content='', detail='none')")
    rowid = 0
    for batch in batches:
        rows = [(rowid + i, message) for i, message in enumerate(batch, 1)]
        rowid += len(batch)
        database.executemany("INSERT INTO t(rowid, message) VALUES (?, ?)", rows)
    database.execute("INSERT INTO t(t) VALUES ('optimize')")
    database.commit()

    def count(word: str) -> int:
        sql = "SELECT count(*) FROM t WHERE t MATCH ?"
        return int(database.execute(sql, (f'"{word}"',)).fetchone()[0])

    return count


def bytes_of(path: Path) -> int:
    """Returns the bytes of a file, or of all files of a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(each.stat().st_size for each in files if each.is_file())
