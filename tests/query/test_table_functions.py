"""Each function that stands in FROM is one entry of a registry: what it means, what it reads, whom it refuses."""

from __future__ import annotations

import pytest
from sqlglot import exp

from tracestore import Store
from tracestore_query import UnknownNameError
from tracestore_query.language.dialect import parse
from tracestore_query.plan.pruning import META, note_bounds
from tracestore_query.tables.functions import FUNCTIONS
from tracestore_query.tables.names import STORED
from tracestore_query.tables.table_nodes import scanned_table, stored_table


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_reads_a_stored_table(name: str) -> None:
    [table] = parse(f"SELECT * FROM {name}('a')").find_all(exp.Table)
    assert stored_table(table) in STORED
    assert (scanned_table(table) is not None) == FUNCTIONS[name].gives_stored_rows


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bounds_are_taken_for_stored_rows_alone(name: str) -> None:
    tree = parse(f"SELECT * FROM {name}('a') AS rows WHERE rows.trace_id = 'ab'")
    note_bounds(tree, lambda node, _: str(node.this))
    [table] = tree.find_all(exp.Table)
    assert (META in table.meta) == FUNCTIONS[name].gives_stored_rows


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("arguments", ["", "1.5", "a", "'a', 'b', 'c', 'd' || 'e'", "(SELECT 'a')"])
def test_other_arguments_are_refused_by_name(name: str, arguments: str, many: Store) -> None:
    with pytest.raises(UnknownNameError, match=rf"{name}|compare experiments"):
        many.sql(f"SELECT * FROM {name}({arguments})")


def test_a_function_that_is_not_there_is_told_with_the_nearest(many: Store) -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean .*experiment"):
        many.sql("SELECT * FROM experimnt('a')")
