"""Statements that ask what there is, DESCRIBE of a table and SHOW TABLES, as queries over our tables."""

from __future__ import annotations

from typing import Final

from sqlglot import exp

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
    for table in list(tree.find_all(exp.Table)):
        name = CATALOG_NAMES.get(table.name.lower())
        if table.db.lower() == SCHEMA and not table.catalog and name is not None:
            if not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
            table.set("this", exp.to_identifier(name))
            table.set("db", None)
    return tree
