"""Costs of model calls that nobody told: estimated from the model's name and the tokens, and marked as an estimate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.arrow_compute import pc
from tracestore.store.settings import Prices
from tracestore.variant import Shredder

COST: Final = ("metrics", "estimated_cost")

SOURCE: Final = ("metadata", "cost_estimated_by")
"""Where stands what estimated the cost; a cost that was sent has nothing there."""

_MODEL: Final = ("metadata", "model")
_PROVIDER: Final = ("metadata", "provider")
_TOKENS: Final = (
    ("metrics", "prompt_tokens"),
    ("metrics", "completion_tokens"),
    ("metrics", "prompt_cached_tokens"),
    ("metrics", "prompt_cache_creation_tokens"),
)
_NUMBERS: Final = ("i64", "f64")

Numbers = npt.NDArray[np.float64]


def add_costs(shredder: Shredder, start: int, give_prices: Callable[[], Prices | None]) -> None:
    """Gives the rows of a shredder from `start` on the cost that they have not, where its price is known."""
    models = shredder.leaf_values(_MODEL, "str", start)
    if models is None or models.null_count == len(models):
        return
    tokens = np.column_stack([_numbers(shredder, path, start) for path in _TOKENS])
    told = np.isfinite(tokens[:, 0]) | np.isfinite(tokens[:, 1])
    rows = np.flatnonzero(models.is_valid().to_numpy(zero_copy_only=False) & told)
    if len(rows) == 0:
        return
    tokens = np.maximum(np.nan_to_num(tokens[rows], posinf=0, neginf=0), 0)
    prices = give_prices()
    if prices is None:
        return
    costs = _costs(shredder, start, rows, models, tokens, prices)
    known = np.isfinite(costs) & _without_cost(shredder, start)[rows]
    rows, costs = rows[known] + start, costs[known]
    if len(rows):
        shredder.put_numbers(COST, start, rows, costs)
        shredder.put_text(SOURCE, start, rows, prices.source)


def _costs(
    shredder: Shredder,
    start: int,
    rows: npt.NDArray[np.int64],
    models: pa.Array,
    tokens: Numbers,
    prices: Prices,
) -> Numbers:
    providers = shredder.leaf_values(_PROVIDER, "str", start)
    if providers is None:
        providers = pa.nulls(len(models), pa.string())
    chosen = pa.array(rows)
    calls = pa.table({"model": models.take(chosen), "provider": providers.take(chosen)})
    # Distinct names are few: only they become Python objects.
    codes = [column.combine_chunks().dictionary_encode("encode") for column in calls.columns]
    pairs = codes[0].indices.to_numpy() * len(codes[1].dictionary) + codes[1].indices.to_numpy()
    distinct, numbers = np.unique(pairs, return_inverse=True)
    names = [each.dictionary.to_pylist() for each in codes]
    asked = [(names[0][pair // len(names[1])], names[1][pair % len(names[1])]) for pair in distinct]
    return prices.costs(asked, numbers, tokens)


def _numbers(shredder: Shredder, path: tuple[str, str], start: int) -> Numbers:
    """Returns a number at a path for each row, NaN where there is none."""
    values = np.full(shredder.rows - start, np.nan)
    for leaf_type in _NUMBERS:
        column = shredder.leaf_values(path, leaf_type, start)
        if column is not None:
            own = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
            values = np.where(np.isnan(own), values, own)
    return values


def _without_cost(shredder: Shredder, start: int) -> npt.NDArray[np.bool_]:
    without = np.ones(shredder.rows - start, np.bool_)
    for leaf_type in (*_NUMBERS, "str", "bool", "json"):
        column = shredder.leaf_values(COST, leaf_type, start)
        if column is not None:
            without &= pc.is_null(column).to_numpy(zero_copy_only=False)
    return without
