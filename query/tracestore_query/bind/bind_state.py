"""What binding one query gathers: scans, tables, objects, warnings, and fresh names."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa
from sqlglot import exp

from tracestore.store import Dataset
from tracestore_query.bind.scan_builder import ScanBuilder
from tracestore_query.bind.typed.engine_types import EngineTypes
from tracestore_query.bind.values.found_rows import put_searches
from tracestore_query.bind.values.item_columns import BESIDE, UnnestedItems, put_all
from tracestore_query.language.nodes import find_nodes
from tracestore_query.plan.item_texts import Held
from tracestore_query.plan.plan import BoundQuery, ObjectCall, Rebuilt
from tracestore_query.plan.scan import Leaf


class TableData(Protocol):
    """What is known of a table's data."""

    def types(self, path: str) -> Sequence[str]:
        """Returns the leaf types that a path's values have."""

    def below(self, path: str) -> Sequence[str]:
        """Returns the paths under a path that have values, sorted."""

    def has_below(self, path: str) -> bool:
        """Returns whether a path under a path has values; stops at the first."""

    def names(self) -> Sequence[str]:
        """Returns paths that a user may have meant, sorted."""

    def null_only(self, path: str) -> bool:
        """Tells whether the `json` leaf of a path holds nothing but null."""

    def in_columns(self, leaf: Leaf) -> bool:
        """Tells whether objects take a leaf from a column of its own, in some segment or in memory."""

    def item_texts(self, path: str, key: str) -> Held:
        """Returns of which of its values at a key of a list's items item columns tell."""


@dataclass(slots=True)
class Binding:
    """The state of binding one query. `data` and `catalog` are asked when a table is first needed.

    Attributes:
        types: what the engine makes of expressions.
        shortcuts: whether paths that a matching row must have are noted.
        row_ids: whether the whole query gives the file and number of each row it reads, too.
        datasets: those that the query may see, as they were before its snapshot was taken.
        of_values: whether words that rows must hold come from a parameter.
        unnested: items of lists that become rows.
        reads_item_columns: whether items may be read by their item columns.
        finds_rows: whether words sidecars may decide searches alone.
        rebuilds_late: whether objects of the answer are taken out, and rebuilt once its rows are known.
    """

    data: Callable[[str], TableData]
    catalog: Callable[[str], pa.Table]
    types: EngineTypes
    datasets: Sequence[Dataset] = ()
    shortcuts: bool = True
    row_ids: bool = False
    rebuilds_late: bool = True
    of_values: bool = False
    reads_item_columns: bool = True
    finds_rows: bool = True
    scans: dict[str, ScanBuilder] = field(default_factory=dict)
    tables: dict[str, pa.Table] = field(default_factory=dict)
    objects: dict[str, ObjectCall] = field(default_factory=dict)
    rebuilt: list[Rebuilt] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    number_columns: set[int] = field(default_factory=set)
    unnested: list[UnnestedItems] = field(default_factory=list)
    # In every name we make: no text of a user can hold it by chance or on purpose.
    nonce: str = field(default_factory=lambda: secrets.token_hex(8))
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def name(self, kind: str) -> str:
        """Returns a name that nothing else has."""
        return f"__{kind}_{self.nonce}_{next(self.numbers)}"

    def warn(self, text: str) -> None:
        """Notes a warning, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def freeze(self, tree: exp.Expr) -> BoundQuery:
        """Returns the query that was gathered, over a tree whose names are resolved."""
        put_all(tree, self.unnested)
        if any(scan.searches for scan in self.scans.values()):
            put_searches(tree, self.scans)
        if any(scan.reads_items for scan in self.scans.values()):
            columns = list(find_nodes(tree, exp.Column))
            read = {column.name for column in columns}
            whole = {column.name for column in columns if not column.meta.get(BESIDE)}
            for scan in self.scans.values():
                scan.settle_items(read, whole)
        scans = {
            token: scan.freeze(each.path[0] for each in self.rebuilt if each.token == token)
            for token, scan in self.scans.items()
        }
        return BoundQuery(
            tree,
            scans,
            dict(self.tables),
            dict(self.objects),
            tuple(self.rebuilt),
            tuple(self.warnings),
            frozenset(self.number_columns),
            self.of_values,
        )
