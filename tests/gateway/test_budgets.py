"""What keys spend counts on all nodes of a catalog, and survives what cannot be kept at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import tracestore
from nodes.cluster import Cluster, fresh_database, places
from tracestore.errors import CatalogError
from tracestore.gateway.budgets import Budgets, OverBudgetError
from tracestore.play.costs import CallCosts
from tracestore.store import Documents
from tracestore.store import Store as StoreCore

KEY, LIMIT = "key", 1.0


def budgets_of(store: StoreCore) -> Budgets:
    budgets = Budgets(store.documents, CallCosts(lambda: None), LIMIT, {})
    budgets.share()
    return budgets


def spend(budgets: Budgets, dollars: float) -> None:
    budgets.settle(budgets.reserve(KEY, LIMIT, dollars), dollars)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[StoreCore, StoreCore]]:
    with places(tmp_path) as (base, segments), fresh_database(base, "budgets") as catalog:
        cluster = Cluster(tmp_path, catalog, segments)
        with cluster.node("a") as a, cluster.node("b") as b:
            yield a, b


def test_nodes_count_together_and_overwrite_nothing(stores: tuple[StoreCore, StoreCore]) -> None:
    one, other = map(budgets_of, stores)
    spend(one, 0.25)
    spend(other, 0.5)
    assert one.spent(KEY) == 0.25
    one.share()
    other.share()
    one.share()
    assert one.spent(KEY) == other.spent(KEY) == budgets_of(stores[0]).spent(KEY) == 0.75
    with pytest.raises(OverBudgetError):
        spend(other, 0.5)


def test_what_cannot_be_kept_is_kept_later_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise CatalogError("it is away")

    with tracestore.open(tmp_path / "store", background=False) as store:
        budgets = budgets_of(store)
        spend(budgets, 0.25)
        with monkeypatch.context() as patch:
            patch.setattr(Documents, "named", fails)
            with pytest.raises(CatalogError):
                budgets.share()
        spend(budgets, 0.25)
        assert budgets.spent(KEY) == 0.5
        budgets.share()
        budgets.share()
        assert budgets.spent(KEY) == budgets_of(store).spent(KEY) == 0.5
