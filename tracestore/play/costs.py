"""What one call of a model costs, by the price list of the store."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tracestore.play.providers.calls import Usage
from tracestore.store import Prices


class CallCosts:
    """The costs of single calls; the same list estimates those of spans that others send.

    Args:
        give_prices: gives the list, which is loaded with the first call; None where costs are not estimated.
    """

    def __init__(self, give_prices: Callable[[], Prices | None]) -> None:
        self._give_prices = give_prices

    def of(self, model: str, provider: str, usage: Usage) -> tuple[float | None, str | None]:
        """Returns the dollars of a call and what says so, None where the price is not known."""
        prices = self._give_prices()
        if prices is None:
            return None, None
        counts = (
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.prompt_cached_tokens,
            usage.prompt_cache_creation_tokens,
        )
        tokens = np.array([counts], np.float64)
        dollars = float(prices.costs([(model, provider)], np.zeros(1, np.int64), tokens)[0])
        return (dollars, prices.source) if math.isfinite(dollars) else (None, None)
