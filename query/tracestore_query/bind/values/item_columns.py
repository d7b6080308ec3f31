"""What item columns give of lists of objects, in the place of the items themselves: texts at a key.

A list whose items become rows is read as the texts of one key where nothing else of the items is asked for. That is
known once the whole query is bound: so what is read instead is put in its place at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from sqlglot import exp

from tracestore.variant import ITEM_LIST
from tracestore_query.bind.path_resolution import Leaves, Resolved
from tracestore_query.bind.scan_builder import ScanBuilder
from tracestore_query.bind.values.sources import ItemText
from tracestore_query.language.path_syntax import Step
from tracestore_query.language.replacement import put_in_place
from tracestore_query.plan.item_texts import item_leaf


class ItemData(Leaves, Protocol):
    """What is known of the items of lists in a table's data."""

    def has_item_texts(self, path: str, key: str) -> bool:
        """Tells whether item columns give all values at a key of a list's items, and these are texts."""


def texts(
    alias: str, scan: ScanBuilder, found: Resolved, data: ItemData, key: str
) -> exp.Column | None:
    """Returns the column of the texts at a key of a list's items, which is read from now on.

    Returns None where the items themselves must be read: some may have something else there, or be in no item
    column, or several stored paths stand for the list.
    """
    lists = [leaf for leaf in found.leaves if leaf[1].endswith("[]")]
    if found.inner or len(lists) != 1 or lists[0][1] != ITEM_LIST:
        return None
    path = lists[0][0]
    if not data.has_item_texts(path, key):
        return None
    return exp.column(scan.leaf_column(*item_leaf(path, key)), table=alias, quoted=True)


META: Final = "unnested"
"""What is noted at the node of items that become rows: their number. A copy of the node has it, too."""


@dataclass(frozen=True, slots=True)
class Unnested:
    """A list whose items become rows.

    Attributes:
        type: of the items, None where it is not known.
        texts: gives the lists of the texts at a key of the items, None where the items must be read.
    """

    type: str | None
    texts: Callable[[str], exp.Expr | None] | None = None


@dataclass(slots=True)
class UnnestedItems:
    """The items of a list that become rows, and what the query reads of them.

    Attributes:
        alias: of the table that they are.
        column: its name in that table.
        texts: gives the lists of the texts at a key, None where the items must be read.
    """

    alias: str
    column: str
    texts: Callable[[str], exp.Expr | None]
    _lists: dict[str, exp.Expr] = field(default_factory=dict)
    _whole: bool = False

    def read_whole(self) -> None:
        """Notes that the query reads the items themselves."""
        self._whole = True

    def member(self, steps: Sequence[Step]) -> ItemText | None:
        """Returns what lies at steps inside an item, None where the item itself must be read."""
        if len(steps) != 1 or steps[0].index is not None:
            return None
        key = steps[0].text
        if key not in self._lists:
            found = self.texts(key)
            if found is None:
                return None
            self._lists[key] = found
        return ItemText(exp.column(_name(key), table=self.alias, quoted=True))

    def put(self, node: exp.Unnest) -> None:
        """Puts the lists that the query reads in the place of the list of items, where it stands in the tree."""
        read = {_name(key): texts for key, texts in self._lists.items()}
        if not read:
            return
        if self._whole:
            read[self.column] = node.expressions[0]
        if len(read) == 1:
            ((name, texts),) = read.items()
            node.set("expressions", [texts.copy()])
            node.args["alias"].set("columns", [exp.to_identifier(name, quoted=True)])
            return
        # Lists of one length beside one another give their items row by row.
        items = [
            exp.alias_(exp.Explode(this=texts.copy()), name, quoted=True)
            for name, texts in read.items()
        ]
        alias = exp.TableAlias(this=exp.to_identifier(self.alias, quoted=True))
        rows = exp.Subquery(this=exp.Select(expressions=items))
        put_in_place(node, exp.Lateral(this=rows, view=False, outer=False, alias=alias))


def are_columns_named(tree: exp.Expr) -> bool:
    """Returns whether no column of a query's sources is chosen by the engine, which sees others beside the user's."""
    if tree.find(exp.Columns, exp.Pivot) is not None:
        return False
    patterns = (exp.Like, exp.ILike, exp.Glob, exp.SimilarTo)
    return not any(isinstance(star.parent, patterns) for star in tree.find_all(exp.Star))


def put_all(tree: exp.Expr, unnested: Sequence[UnnestedItems]) -> None:
    """Puts what a query reads of items that become rows in the place of the lists of them, wherever these stand."""
    for node in list(tree.find_all(exp.Unnest)) if unnested else ():
        if META in node.meta:
            unnested[node.meta[META]].put(node)


def _name(key: str) -> str:
    """Returns the column of a key's texts: no name of a user begins so."""
    return f"__text_{key}"
