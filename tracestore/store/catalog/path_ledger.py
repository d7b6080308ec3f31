"""What one catalog transaction does to the paths: new ones, more rows, fewer rows, gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from tracestore.store.catalog.database import MAX_IN_LIST
from tracestore.store.catalog.path_ids import Leaf, Owner, PathTable
from tracestore.store.catalog.schema.tables import PATHS


class PathLedger:
    """The changes of path counts in one transaction, written at its end.

    Notes new ids in the shared cache at once; where the transaction fails, its caller clears the cache.
    """

    def __init__(self, table: PathTable, next_id: int) -> None:
        self._table = table
        self.next_id = next_id
        self._created: list[dict[str, Any]] = []
        self._deltas: Counter[int] = Counter()
        self._owner_of: dict[int, Owner] = {}
        self._dropped: dict[Owner, list[int]] = {}

    def new_owners(self) -> list[Owner]:
        """Returns the tables and projects that have paths more."""
        return sorted({(row["table_name"], row["project"]) for row in self._created})

    def dropped(self) -> Mapping[Owner, list[int]]:
        """Returns the ids of paths that `write` has dropped, by table and project."""
        return self._dropped

    def add(self, owner: Owner, leaves: Mapping[Leaf, int], bound: int | None) -> dict[int, int]:
        """Counts leaves with their rows and returns rows by path id, sorted by id.

        A leaf without an id gets one, unless the owner has `bound` ids already: then it is left out.
        """
        owned = self._table.of(owner)
        counted: dict[int, int] = {}
        for leaf, rows in leaves.items():
            number = owned.ids.get(leaf)
            if number is None:
                if bound is not None and len(owned.ids) >= bound:
                    continue
                number = self.next_id
                self.next_id += 1
                owned.add(leaf, number)
                self._created.append(_new_row(number, owner, leaf))
            counted[number] = rows
            self._deltas[number] += rows
            self._owner_of[number] = owner
        return dict(sorted(counted.items()))

    def remove(self, owner: Owner, ids: Iterable[int], rows: Iterable[int]) -> None:
        """Takes away the rows of a segment that goes."""
        for number, count in zip(ids, rows, strict=True):
            self._deltas[number] -= count
            self._owner_of[number] = owner

    def write(self, connection: sa.Connection, now_ns: int, version: int) -> None:
        """Writes all changes as of a version. Paths without rows are dropped, since a key may be personal data."""
        if self._created:
            times = {"first_seen_ns": now_ns, "last_seen_ns": now_ns}
            rows = [
                {**row, **times, "rows": self._deltas.pop(row["path_id"])} for row in self._created
            ]
            connection.execute(PATHS.insert(), rows)
        changes = [
            {"number": number, "delta": delta, "now": now_ns}
            for number, delta in self._deltas.items()
            if delta
        ]
        grown = [change for change in changes if change["delta"] > 0]
        shrunk = [change for change in changes if change["delta"] < 0]
        by_id = PATHS.c.path_id == sa.bindparam("number")
        recount = PATHS.update().where(by_id).values(rows=PATHS.c.rows + sa.bindparam("delta"))
        if grown:
            connection.execute(recount.values(last_seen_ns=sa.bindparam("now")), grown)
        if shrunk:
            without_time = [{"number": row["number"], "delta": row["delta"]} for row in shrunk]
            connection.execute(recount, without_time)
            self._drop_empty(connection, [row["number"] for row in shrunk], version)

    def _drop_empty(self, connection: sa.Connection, numbers: list[int], version: int) -> None:
        for start in range(0, len(numbers), MAX_IN_LIST):
            batch = numbers[start : start + MAX_IN_LIST]
            empty = sa.and_(PATHS.c.path_id.in_(batch), PATHS.c.rows <= 0)
            gone = connection.execute(sa.select(PATHS.c.path_id).where(empty)).scalars().all()
            if gone:
                connection.execute(PATHS.delete().where(empty))
            for number in gone:
                owner = self._owner_of[number]
                self._table.of(owner).drop(number, version)
                self._dropped.setdefault(owner, []).append(number)


def _new_row(number: int, owner: Owner, leaf: Leaf) -> dict[str, Any]:
    return {
        "path_id": number,
        "table_name": owner[0],
        "project": owner[1],
        "path": leaf[0],
        "type": leaf[1],
    }
