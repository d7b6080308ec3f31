"""Names of the stored tables, and how a text stands in SQL."""

from __future__ import annotations

from typing import Final

from tracestore.variant import TABLES

STORED: Final = {name: spec for name, spec in TABLES.items() if name != "json"}
"""Tables that are scanned."""

NAMED: Final = frozenset({"spans", "logs"})
"""Scanned tables that FROM may name; rows of datasets come by `dataset('name')` alone."""

HIDDEN: Final = {"dataset_rows": frozenset({"dataset_id", "deleted", "digest"})}
"""Stored columns that no query sees."""


def quoted(text: str) -> str:
    """Returns a text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
