"""A scan that is being gathered: the binder adds what each path and column of the query reads."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field

from tracestore.variant import ITEM_LIST, is_item_path
from tracestore_query.plan.item_texts import list_and_key
from tracestore_query.plan.scan import EVER, Leaf, Scan, TimeRange, TopN, WordSearch
from tracestore_query.tables.predicate import Predicate


@dataclass(slots=True)
class ScanBuilder:
    """A scan to be. The fields are those of `Scan`; dicts keep the order in which the query names things."""

    token: str
    table: str
    fixed_columns: dict[str, None] = field(default_factory=dict)
    leaves: dict[Leaf, str] = field(default_factory=dict)
    object_parts: dict[Leaf, str] = field(default_factory=dict)
    object_fields: set[str] = field(default_factory=set)
    non_null_paths: list[tuple[Leaf, ...]] = field(default_factory=list)
    needs_row_ids: bool = False
    predicate: Predicate = ()
    newest_only: bool = False
    time_range: TimeRange = EVER
    trace_ids: frozenset[str] | None = None
    trace_names: tuple[str, ...] = ()
    top_n: TopN | None = None
    words: dict[str, None] = field(default_factory=dict)
    looks_through: bool = False
    item_lists: dict[Leaf, Leaf] = field(default_factory=dict)
    searches: list[WordSearch] = field(default_factory=list)
    searched: tuple[str, ...] = ()

    def leaf_column(self, path: str, leaf_type: str) -> str:
        """Returns the scan's column of a leaf, which is read from now on."""
        return self.leaves.setdefault((path, leaf_type), f"__leaf{len(self.leaves)}")

    @property
    def reads_items(self) -> bool:
        """Returns whether some item columns are read."""
        return any(is_item_path(path) for path, _ in self.leaves)

    def settle_items(self, read: Container[str], whole: Container[str]) -> None:
        """Leaves out leaves that nobody reads any more, and notes lists that are read beside item columns alone.

        Args:
            read: columns that some expression names.
            whole: those that some expression takes all values of.
        """
        self.leaves = {leaf: name for leaf, name in self.leaves.items() if name in read}
        for leaf in self.leaves:
            if is_item_path(leaf[0]):
                of_list = (list_and_key(leaf[0])[0], ITEM_LIST)
                column = self.leaves.get(of_list)
                if column is not None and column not in whole:
                    self.item_lists[leaf] = of_list

    def leaf_of(self, column: str) -> Leaf:
        """Returns the leaf that a column of the scan holds."""
        return next(leaf for leaf, name in self.leaves.items() if name == column)

    def object_part(self, path: str, leaf_type: str) -> str:
        """Returns the scan's column of a leaf as a part of an object, which is read from now on."""
        return self.object_parts.setdefault((path, leaf_type), f"__part{len(self.object_parts)}")

    def freeze(self, rebuilt_fields: Iterable[str]) -> Scan:
        """Returns the scan. `rebuilt_fields` are first keys of objects that are rebuilt after it has run."""
        return Scan(
            self.token,
            self.table,
            tuple(self.fixed_columns),
            dict(self.leaves),
            dict(self.object_parts),
            frozenset(self.object_fields),
            frozenset(rebuilt_fields),
            tuple(self.non_null_paths),
            self.needs_row_ids,
            self.predicate,
            self.newest_only,
            self.time_range,
            self.trace_ids,
            self.top_n,
            tuple(self.words),
            looks_through=self.looks_through,
            item_lists=dict(self.item_lists),
            trace_names=self.trace_names,
            searches=tuple(self.searches),
            searched=self.searched,
        )
