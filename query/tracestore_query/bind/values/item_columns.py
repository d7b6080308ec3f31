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
from tracestore_query.bind.values import json_values
from tracestore_query.bind.values.sources import ItemText
from tracestore_query.language.nodes import find_nodes
from tracestore_query.language.path_syntax import Step
from tracestore_query.language.replacement import put_in_place
from tracestore_query.plan.item_texts import Held, item_leaf


class ItemData(Leaves, Protocol):
    """What is known of the items of lists in a table's data."""

    def item_texts(self, path: str, key: str) -> Held:
        """Returns of which of its values at a key of a list's items item columns tell."""


BESIDE: Final = "beside"
"""What is noted at the column of a list that is read beside item columns, for rows that these tell nothing of."""


@dataclass(frozen=True, slots=True)
class ItemLists:
    """What is read for a key of a list's items.

    Attributes:
        texts: lists of the texts there.
        items: lists of the items, of rows whose texts are in no item column; None where all are.
    """

    texts: exp.Column
    items: exp.Column | None = None


def lists(
    alias: str, scan: ScanBuilder, found: Resolved, data: ItemData, key: str
) -> ItemLists | None:
    """Returns what is read for a key of a list's items, from now on.

    Returns None where the items alone are read: no item column tells of the key, or several stored paths stand for
    the list.
    """
    leaves = [leaf for leaf in found.leaves if leaf[1].endswith("[]")]
    if found.inner or len(leaves) != 1 or leaves[0][1] != ITEM_LIST:
        return None
    path = leaves[0][0]
    held = data.item_texts(path, key)
    if held is Held.NONE:
        return None
    texts = exp.column(scan.leaf_column(*item_leaf(path, key)), table=alias, quoted=True)
    if held is Held.ALL:
        return ItemLists(texts)
    items = exp.column(scan.leaf_column(*leaves[0]), table=alias, quoted=True)
    items.meta[BESIDE] = True
    return ItemLists(texts, items)


def member_of(item: exp.Expr, key: str) -> exp.Expr:
    """Returns the JSON at a key of an item."""
    return json_values.at(item, [Step(key, exact=True)])


META: Final = "unnested"
"""What is noted at the node of items that become rows: their number. A copy of the node has it, too."""


@dataclass(frozen=True, slots=True)
class Unnested:
    """A list whose items become rows.

    Attributes:
        type: of the items, None where it is not known.
        lists: gives what is read for a key of the items, None where these alone are.
    """

    type: str | None
    lists: Callable[[str], ItemLists | None] | None = None


@dataclass(slots=True)
class UnnestedItems:
    """The items of a list that become rows, and what the query reads of them.

    Attributes:
        alias: of the table that they are.
        column: its name in that table.
        lists: gives what is read for a key, None where the items alone are.
    """

    alias: str
    column: str
    lists: Callable[[str], ItemLists | None]
    _texts: dict[str, exp.Expr] = field(default_factory=dict)
    _beside: exp.Expr | None = None
    _whole: bool = False

    def read_whole(self) -> None:
        """Notes that the query reads the items themselves."""
        self._whole = True

    def member(self, steps: Sequence[Step]) -> ItemText | None:
        """Returns what lies at steps inside an item, None where the item itself must be read."""
        if len(steps) != 1 or steps[0].index is not None:
            return None
        key = steps[0].text
        found = self.lists(key)
        if found is None:
            return None
        self._texts[key] = found.texts
        text = exp.column(_name(key), table=self.alias, quoted=True)
        if found.items is None:
            return ItemText(text)
        self._beside = found.items
        item = exp.column(self.column, table=self.alias, quoted=True)
        return ItemText(text, member_of(item, key))

    def put(self, node: exp.Unnest) -> None:
        """Puts the lists that the query reads in the place of the list of items, where it stands in the tree."""
        read = {_name(key): texts for key, texts in self._texts.items()}
        if not read:
            return
        if self._whole:
            read[self.column] = node.expressions[0]
        elif self._beside is not None:
            read[self.column] = self._beside
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
    return not any(isinstance(star.parent, patterns) for star in find_nodes(tree, exp.Star))


def put_all(tree: exp.Expr, unnested: Sequence[UnnestedItems]) -> None:
    """Puts what a query reads of items that become rows in the place of the lists of them, wherever these stand."""
    for node in list(find_nodes(tree, exp.Unnest)) if unnested else ():
        if META in node.meta:
            unnested[node.meta[META]].put(node)


def _name(key: str) -> str:
    """Returns the column of a key's texts: no name of a user begins so."""
    return f"__text_{key}"
