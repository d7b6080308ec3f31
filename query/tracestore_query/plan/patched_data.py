"""What patches change of a snapshot's table: types of paths, rows of segments, rows in memory.

Costs nothing for fields that no patch changes.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from tracestore.store import SegmentPatches, TableSnapshot, leaf_columns
from tracestore.variant import LEAF_TYPES, format_path, parse_leaf_name
from tracestore.variant.moved import ATTRIBUTES
from tracestore.variant.moved import COLUMNS as MOVED_COLUMNS
from tracestore_query.plan.scan import Scan
from tracestore_query.plan.wide_rows import columns_of, is_wide


def field_of(path: str) -> str:
    """Returns the field that a path's text begins with."""
    return path.partition(".")[0]


class PatchedData:
    """The patches of one table of a snapshot."""

    def __init__(self, view: TableSnapshot) -> None:
        self._view = view
        self._fields = view.patches.fields
        self._by_fields: dict[frozenset[str], dict[int, SegmentPatches]] = {}
        self._leaves: dict[str, dict[str, set[str]]] = {}
        self._parts: dict[str, frozenset[str]] = {}

    def fields_of(self, scan: Scan) -> frozenset[str]:
        """Returns the patched fields that a scan reads."""
        if not self._fields:
            return frozenset()
        wanted = {field_of(path) for path, _ in scan.leaves}
        wanted |= scan.rebuilt_fields | scan.object_fields
        if ATTRIBUTES in scan.rebuilt_fields:
            # Attributes that moved are rebuilt from where they are.
            wanted |= set(MOVED_COLUMNS)
        return self._fields & wanted

    def changes(self, path: str) -> bool:
        """Returns whether some patch changes a path's field."""
        return field_of(path) in self._fields

    @property
    def memtable(self) -> tuple[pa.Table, ...]:
        """Returns the rows that are in no segment, patches merged."""
        return self._view.patched_memtable

    def segments(self, fields: frozenset[str]) -> dict[int, SegmentPatches]:
        """Returns the segments with rows whose fields are patched, by position in the snapshot."""
        if not fields:
            return {}
        by_position = self._by_fields.get(fields)
        if by_position is None:
            by_position = self._by_fields[fields] = {}
            for position, segment in enumerate(self._view.segments):
                patches = self._view.patches_of(segment, fields)
                if patches is not None:
                    by_position[position] = patches
        return by_position

    def of_scan(self, scan: Scan, fields: frozenset[str]) -> dict[int, SegmentPatches]:
        """Returns the segments with rows whose fields are patched, of the traces that a scan reads, by position."""
        by_position = self.segments(fields)
        if scan.trace_ids is None:
            return by_position
        narrowed = {}
        for position, patches in by_position.items():
            of_traces = patches.of_traces(scan.trace_ids)
            if of_traces is not None:
                narrowed[position] = of_traces
        return narrowed

    def tables(self, path: str) -> tuple[pa.Table, ...]:
        """Returns rows in memory and patched rows of segments, with at least the leaves of a path's field."""
        field = field_of(path)
        if field not in self._fields:
            return self._view.memtable
        overlays = self.segments(frozenset({field})).values()
        return (*self.memtable, *(patches.overlay.table for patches in overlays))

    def parts(self, path: str) -> frozenset[str]:
        """Returns the leaf columns that objects of a path's field are made of, of rows in memory and patched ones."""
        field = field_of(path)
        if field not in self._parts:
            memory = self.memtable if field in self._fields else self._view.memtable
            tables = [chunk for chunk in memory if not is_wide(chunk)]
            tables += self.tables(path)[len(memory) :]
            names = (columns_of(table.column_names, (field,)) for table in tables)
            self._parts[field] = frozenset(name for some in names for name in some)
        return self._parts[field]

    def types(self, path: str, known: Sequence[str]) -> Sequence[str]:
        """Returns the leaf types of a path's values, given those that segments and memtables know."""
        more = self._of_field(path).get(path)
        if not more:
            return known
        return [name for name in LEAF_TYPES if name in more or name in known]

    def below(self, path: str, known: Sequence[str]) -> Sequence[str]:
        """Returns the paths under a path that have values, given those known."""
        more = {name for name in self._of_field(path) if name.startswith(path + ".")}
        return sorted({*known, *more}) if more else known

    def _of_field(self, path: str) -> dict[str, set[str]]:
        """Returns the types by path of the rows that patches of a path's field concern."""
        field = field_of(path)
        if field not in self._fields:
            return {}
        by_path = self._leaves.get(field)
        if by_path is None:
            by_path = self._leaves[field] = {}
            for table in self.tables(field):
                for name in leaf_columns(table.column_names, frozenset({field})):
                    keys, leaf_type = parse_leaf_name(name)
                    by_path.setdefault(format_path(keys), set()).add(leaf_type)
        return by_path
