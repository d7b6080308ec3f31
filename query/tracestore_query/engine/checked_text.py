"""The one way from a plan to the text that the engine runs: what is checked is what runs.

The text is checked with tokens in place of scans, so that no name of a user's is a file's. Each scan's own text
is checked alone, and then takes the place of its token. So it is with a list of many files: a name that no text of
a user's can have stands for it while the scan is checked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

import pyarrow as pa
from sqlglot import exp

from tracestore.bounded_cache import BoundedCache
from tracestore.store import SegmentRef
from tracestore_query.engine import parse_tree
from tracestore_query.engine.parquet_sql import files_list, named_list
from tracestore_query.engine.parse_rules import Allowed, refused
from tracestore_query.engine.parser import Parser
from tracestore_query.errors import QueryForbiddenError
from tracestore_query.language.allowed_functions import TABLE_GENERATORS
from tracestore_query.language.dialect import generate
from tracestore_query.language.nodes import find_nodes
from tracestore_query.language.repeatable import is_repeatable
from tracestore_query.plan.plan import Plan
from tracestore_query.plan.scan_plan import ScanPlan

MAX_RIGHT: Final = 4096
"""Texts that are known to be right, 16 bytes each: of what is asked again and again, no second parse is paid."""

MAX_REPEATABLE: Final = 1024
"""Texts of groupings of which it is known whether they may be kept, about 1 KiB each."""

_PIVOT: Final = frozenset({"this", "expressions", "using", "group", "order", "limit"})

_END: Final = "__end"
"""The alias that must follow a part: a part that reaches beyond its end has another."""


class Source(Protocol):
    """The text of a scan, the tables that it names, and the segments of the lists of files that have names in it."""

    @property
    def sql(self) -> str:
        """Returns the text."""

    @property
    def tables(self) -> Mapping[str, pa.Table]:
        """Returns the tables by name."""

    @property
    def files(self) -> Mapping[str, Sequence[SegmentRef]]:
        """Returns the segments of lists of files by the names that stand for them in the text."""


class TextChecker:
    """The judge of texts by the trees that the engine's own parser makes of them. Thread-safe.

    Args:
        parser: of the engine that runs the texts.
        functions: those that queries may call.
    """

    def __init__(self, parser: Parser, functions: Collection[str]) -> None:
        self._parser = parser
        self._functions = functions
        self._right: BoundedCache[bytes, bool] = BoundedCache(MAX_RIGHT)
        self._repeatable: BoundedCache[str, bool] = BoundedCache(MAX_REPEATABLE)

    def over_tokens(self, plan: Plan) -> str:
        """Returns the text of a plan's query, over the tokens of its scans.

        Raises:
            QueryForbiddenError: where the engine reads anything in it that queries may not have.
        """
        query = plan.query
        tokens, nonce = _tokens(plan)
        allowed = Allowed(tokens, self._functions, TABLE_GENERATORS, objects=[*query.objects])
        if isinstance(query.tree, exp.Pivot) and not query.tree.args.get("unpivot"):
            return self._pivot(query.tree, allowed, nonce)
        return self._query(query.tree, allowed, nonce)

    def text(self, over_tokens: str, plan: Plan, scans: Mapping[str, Source]) -> str:
        """Returns the text of a plan: that of its query, with the text of each scan in the place of its token.

        Raises:
            QueryForbiddenError: where the engine reads anything in a scan that it may not have.
        """
        _, nonce = _tokens(plan)
        text = over_tokens
        for token, scan in plan.scans.items():
            source = scans[token]
            files = _files(scan, source.files)
            self._check_source(source.sql, source.tables, files, nonce)
            text = text.replace(f'"{token}"', source.sql)
        for source in scans.values():
            text = _with_files(text, source.files)
        return text

    def look_up(
        self,
        text: str,
        tables: Collection[str],
        scan: ScanPlan,
        files: Mapping[str, Sequence[SegmentRef]],
    ) -> str:
        """Returns the text of a query that planning asks of the files of a scan, over tables by name.

        Args:
            text: the query.
            tables: the tables that it may name.
            scan: the scan whose files it may read.
            files: the segments of each list that stands in the text under a name.

        Raises:
            QueryForbiddenError: where the engine reads anything else in it.
        """
        nonce = _nonce((*tables, scan.scan.token.lower()))
        self._check_source(f"({text})", tables, _files(scan, files), nonce)
        return _with_files(text, files)

    def is_repeatable(self, text: str, token: str, functions: Collection[str]) -> bool:
        """Tells whether a query over one scan gives the same of the same rows at any time.

        Args:
            text: the query, over the scan's token.
            token: of the scan.
            functions: those that give the same for the same arguments.
        """
        plain = text.replace(token, "scan")
        return self._repeatable.get_or_make(
            plain, lambda: is_repeatable(self._parser.tree(plain), functions)
        )

    def expression(self, text: str) -> str:
        """Returns the text of an expression over nothing but constants.

        Raises:
            QueryForbiddenError: where the engine reads anything else in it.
        """
        self._check(_as_item(text), Allowed([], self._functions), "")
        return text

    def _query(self, tree: exp.Expr, allowed: Allowed, nonce: str) -> str:
        """Returns the text of a query; PIVOT statements inside of it are checked each on its own."""
        pivots: dict[str, exp.Pivot] = {}
        if next(_pivots(tree), None) is not None:
            tree = tree.copy()
            for number, pivot in enumerate(list(_pivots(tree))):
                name = f"__pivot_{nonce}_{number}"
                pivots[name] = pivot
                pivot.replace(_rows_of(name))
        text = generate(tree)
        named = replace(allowed, tables=[*allowed.tables, *pivots])
        self._check(text, named, nonce)
        for name, pivot in pivots.items():
            text = text.replace(generate(_rows_of(name)), self._pivot(pivot, allowed, nonce))
        return text

    def _pivot(self, pivot: exp.Pivot, allowed: Allowed, nonce: str) -> str:
        """Returns the text of a PIVOT statement, which the engine serializes in parts only."""
        if {name for name, value in pivot.args.items() if value} - _PIVOT:
            raise QueryForbiddenError("cannot run query: this form of PIVOT is not supported")
        source = generate(pivot.this)
        group = pivot.args.get("group")
        lists = (pivot.expressions, pivot.args.get("using"), group and group.expressions)
        on, using, by = ([generate(each) for each in parts or ()] for parts in lists)
        text = f"PIVOT {source}"
        for word, parts in (("ON", on), ("USING", using), ("GROUP BY", by)):
            if parts:
                text += f" {word} {', '.join(parts)}"
        order, limit = pivot.args.get("order"), pivot.args.get("limit")
        keys = order.expressions if order is not None else []
        self._check(_as_source(source), allowed, nonce)
        for part in (*on, *using, *by, *(generate(key.this) for key in keys)):
            self._check(_as_item(part), allowed, nonce)
        if keys:
            text += f" ORDER BY {', '.join(generate(key) for key in keys)}"
        if limit is not None and not (
            isinstance(limit.expression, exp.Literal) and limit.expression.is_int
        ):
            raise QueryForbiddenError("cannot run query: LIMIT behind PIVOT takes a whole number")
        return text if limit is None else f"{text} LIMIT {limit.expression.this}"

    def _check_source(
        self, text: str, tables: Collection[str], files: Collection[str], nonce: str
    ) -> None:
        allowed = Allowed([*tables], self._functions, files=files)
        self._check(_as_source(text), allowed, nonce)

    def _check(self, text: str, allowed: Allowed, nonce: str) -> None:
        digest = _digest(text, allowed, nonce)
        if self._right.get(digest):
            return
        tree = self._parser.tree(text)
        parse_tree.check(tree, allowed)
        if text.endswith(f'"{_END}"'):
            _check_end(tree["statements"][0]["node"])
        self._right.put(digest, True)


def _tokens(plan: Plan) -> tuple[list[str], str]:
    """Returns the names that a plan's query may have in FROM, and what they have in common."""
    query = plan.query
    tokens = [name.lower() for name in (*query.scans, *query.tables, *plan.kept)]
    return tokens, _nonce((*tokens, *query.objects))


def _rows_of(name: str) -> exp.Select:
    """Returns the query that stands for a PIVOT statement while the text around it is checked."""
    return exp.select("*").from_(exp.to_identifier(name, quoted=True))


def _pivots(tree: exp.Expr) -> Iterator[exp.Pivot]:
    """Yields the PIVOT statements that stand for a query in a tree, and not behind a table."""
    for pivot in find_nodes(tree, exp.Pivot):
        is_query = pivot.arg_key == "this" and isinstance(pivot.parent, exp.CTE | exp.Subquery)
        if is_query and not pivot.args.get("unpivot"):
            yield pivot


def _as_source(part: str) -> str:
    return f'SELECT * FROM {part} AS "{_END}"'  # noqa: S608 - it is parsed and never run


def _as_item(part: str) -> str:
    return f'SELECT {part}, 0 AS "{_END}"'


def _check_end(node: dict[str, object]) -> None:
    """Refuses a part that is more than one source of FROM, or more than one item of a SELECT."""
    source, items = node.get("from_table"), node.get("select_list")
    assert isinstance(source, dict) and isinstance(items, list)
    alone = {"type", "cte_map", "select_list", "from_table", "aggregate_handling"}
    if source["type"] == "EMPTY":
        right = len(items) == 2 and items[1].get("alias") == _END
    else:
        right = len(items) == 1 and source.get("alias") == _END
    if not right or node.keys() - alone or node.get("cte_map"):
        raise refused("part", "that does not end where it should")


def _files(scan: ScanPlan, named: Mapping[str, Sequence[SegmentRef]]) -> frozenset[str]:
    """Returns the files that a scan reads, and the names that stand for lists of them in place of these."""
    apart = {id(segment) for segments in named.values() for segment in segments}
    uris = [segment.uri for segment in scan.segments if id(segment) not in apart]
    # A sidecar that no scan reads is not fetched from the object store to learn its name.
    tails = (segment.tail_uri for group in scan.tailed for segment in group.segments)
    return frozenset({*named, *uris, *filter(None, tails)})


def _with_files(text: str, named: Mapping[str, Sequence[SegmentRef]]) -> str:
    """Returns a checked text with the files of each list in the place of its name."""
    for name, segments in named.items():
        text = text.replace(named_list(name), files_list(segments))
    return text


def _nonce(names: Collection[str]) -> str:
    """Returns what names of one query have and no other text can: `__kind_NONCE_number`."""
    return next((name.split("_")[3] for name in names), "")


def _digest(text: str, allowed: Allowed, nonce: str) -> bytes:
    """Returns what tells texts and what they may name apart, but for the nonce of a query."""
    names = (allowed.tables, allowed.objects, allowed.table_functions, allowed.files)
    listed = json.dumps([text, *(sorted(each) for each in names)])
    whole = listed.replace(nonce, "0" * len(nonce)) if nonce else listed
    return hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).digest()
