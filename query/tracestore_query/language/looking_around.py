"""Statements that ask what there is, DESCRIBE, SHOW TABLES and SUMMARIZE, as queries over our tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from sqlglot import exp

from tracestore_query.language.dialect import parse
from tracestore_query.language.nodes import find_nodes

SCHEMA: Final = "information_schema"
CATALOG_NAMES: Final = {"tables": f"{SCHEMA}_tables", "columns": f"{SCHEMA}_columns"}
"""The catalog table of each table of the information schema."""

_SHOWN: Final = frozenset({"TABLES", "ALL TABLES"})


def as_query(tree: exp.Expr) -> exp.Expr:
    """Returns a statement with what asks for tables and columns written as a query."""
    if isinstance(tree, exp.Show) and str(tree.this).upper() in _SHOWN:
        names = exp.alias_(exp.column("table_name"), "name")
        tree = exp.select(names).from_(CATALOG_NAMES["tables"]).order_by("1")
    is_described = isinstance(tree, exp.Describe) and tree.args.get("kind") == "DESCRIBE"
    if is_described and isinstance(tree.this, exp.Column) and not tree.this.table:
        tree.set("this", exp.select("*").from_(exp.Table(this=tree.this.this.copy())))
    for table in list(find_nodes(tree, exp.Table)):
        name = CATALOG_NAMES.get(table.name.lower())
        if table.db.lower() == SCHEMA and not table.catalog and name is not None:
            if not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
            table.set("this", exp.to_identifier(name))
            table.set("db", None)
    return tree


_COMPUTED: Final = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|FLOAT|DECIMAL.*|JSON")
"""Types whose columns have a mean: of values of several kinds the numbers count."""


def summary(query: exp.Expr, columns: Sequence[tuple[str, str]]) -> exp.Expr:
    """Returns the query that SUMMARIZE asks: a row for each column of another query.

    Args:
        query: what is summarized.
        columns: the name and the type of each of its columns.
    """
    names = [f"c{number}" for number in range(len(columns))]
    lists: dict[str, list[str]] = {}
    for name, (shown, sql_type) in zip(names, columns, strict=True):
        for key, value in _facts(name, shown, sql_type):
            lists.setdefault(key, []).append(value)
    items = ", ".join(f'unnest([{", ".join(values)}]) AS "{key}"' for key, values in lists.items())
    columns_of = exp.TableAlias(
        this=exp.to_identifier("s"), columns=[exp.to_identifier(name) for name in names]
    )
    tree = parse(f"SELECT {items}")
    assert isinstance(tree, exp.Select)
    return tree.from_(exp.Subquery(this=query.copy(), alias=columns_of))


def _facts(name: str, shown: str, sql_type: str) -> Iterator[tuple[str, str]]:
    """Yields the columns of the answer with the expression of each, for one column."""
    has_order = not sql_type.startswith("MAP(")
    has_mean = _COMPUTED.fullmatch(sql_type) is not None
    yield "column_name", exp.Literal.string(shown).sql(dialect="duckdb")
    yield "column_type", exp.Literal.string(sql_type).sql(dialect="duckdb")
    for word in ("min", "max"):
        yield word, f"{word}({name})::VARCHAR" if has_order else "NULL::VARCHAR"
    yield "approx_unique", f"approx_count_distinct({name})"
    for key, call in _MEANS.items():
        yield key, f"{call.format(name)}::VARCHAR" if has_mean else "NULL::VARCHAR"
    yield "count", "count(*)"
    missing = f"100.0 * (count(*) - count({name})) / nullif(count(*), 0)"
    yield "null_percentage", f"({missing})::DECIMAL(9, 2)"


_MEANS: Final = {
    "avg": "avg({})",
    "std": "stddev({})",
    **{f"q{percent}": f"approx_quantile({{}}, 0.{percent})" for percent in (25, 50, 75)},
}
