"""What the tests of queries share: a store of the rows that the SQL files ask about."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from data import stores
from sql import sql_rows
from tracestore import Store


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Gives a store of many small segments; nobody writes to it."""
    rows = {"spans": sql_rows.spans(), "logs": sql_rows.logs()}
    store = stores.build(tmp_path_factory.mktemp("many") / "store", "many segments", rows)
    yield store
    store.close()
