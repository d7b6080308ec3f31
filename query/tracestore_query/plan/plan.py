"""The plan of a query as a value: what is read, and what is computed from it. Knows no engine.

A query becomes its own tree with every table replaced by a `Scan`, and every path replaced by an expression
over that scan's leaves. An engine turns scans into its own reads; `engine/` does so for DuckDB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from sqlglot import exp

from tracestore_query.plan.scan import Leaf, Scan
from tracestore_query.plan.scan_plan import ScanPlan


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """An output column whose objects are rebuilt once the answer's rows are known.

    Attributes:
        output: position among the output columns; until then the column holds ids of rows.
        token: the scan that the rows come from.
        path: keys of the object.
    """

    output: int
    token: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ObjectCall:
    """A function of a query that makes JSON of a struct of leaves, for objects that the query computes with.

    Attributes:
        path: keys of the object.
        leaves: the struct's fields after the first, which is `_overflow`.
        moved: whether the last field is `moved_attributes`, and what moved is put back.
    """

    path: tuple[str, ...]
    leaves: tuple[Leaf, ...]
    moved: bool = False


def part_name(number: int) -> str:
    """Returns a field's name in the struct of an object call: leaves' names may differ in case alone, fields' not."""
    return f"part{number}"


@dataclass(frozen=True, slots=True)
class BoundQuery:
    """A query whose names are resolved: what the binder gives.

    Attributes:
        tree: the statement, over tokens of scans.
        scans: the scans by token.
        tables: tables of the catalog by token.
        objects: the functions that the tree calls, by name.
        rebuilt: output columns to rebuild.
        warnings: what the answer should carry along.
        numbers: output columns of integers and doubles, as tagged values.
        of_values: whether the scans depend on the values of parameters.
    """

    tree: exp.Expr
    scans: Mapping[str, Scan]
    tables: Mapping[str, pa.Table]
    objects: Mapping[str, ObjectCall]
    rebuilt: tuple[Rebuilt, ...]
    warnings: tuple[str, ...]
    numbers: frozenset[int] = frozenset()
    of_values: bool = False

    def names(self) -> dict[str, str]:
        """Returns the paths of the columns that its scans read, and what stands in their place where several do."""
        found = {"__row_id": "an object"}
        for scan in self.scans.values():
            for columns in (scan.leaves, scan.object_parts):
                for (path, _), column in columns.items():
                    is_other = found.setdefault(column, path) != path
                    found[column] = "a value" if is_other else path
        return found


@dataclass(frozen=True, slots=True)
class Plan:
    """A bound query, and the rows that each of its scans reads: what an engine needs.

    Attributes:
        query: the bound query.
        scans: what each scan reads, by token.
        kept: groups of segments that are not read again, by the name of their table in the query's tree.
        keeps_more: whether some of these were computed for this plan.
    """

    query: BoundQuery
    scans: Mapping[str, ScanPlan]
    kept: Mapping[str, pa.Table] = field(default_factory=dict)
    keeps_more: bool = False
