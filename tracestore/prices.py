"""What calls of models cost, by the price list of genai-prices and by prices that are given. Estimates, nothing else.

Prices of a list have tiers: beyond so many input tokens all tokens cost another price. So a model has a few sets of
prices for one token each, which are asked of the list once; what many calls cost is then computed at once.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from genai_prices import Usage, calc_price

Numbers = npt.NDArray[np.float64]

MAX_MODELS: Final = 10_000
"""Models whose prices are remembered: senders make up names. Further ones have no price."""

_PER: Final = 1_000_000
"""Prices are given for so many tokens."""

_FIELDS: Final = ("input", "output", "cache_read", "cache_write")
_LISTED: Final = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")


@dataclass(frozen=True, slots=True)
class _Prices:
    """The prices of one model.

    Attributes:
        bounds: input tokens up to which each set but the last holds.
        sets: for each, dollars a token of input, output, input read from a cache, and input written to one.
    """

    bounds: Numbers
    sets: Numbers


class PriceList:
    """The estimates of costs. Thread-safe.

    Args:
        given: dollars for a million tokens by model: `{"my-model": {"input": 0.5, "output": 1.5}}`, perhaps
            `cache_read` and `cache_write`; they win over the list.

    Attributes:
        source: what says the prices.
    """

    def __init__(self, given: Mapping[str, Mapping[str, float]] | None = None) -> None:
        self.source = f"genai-prices {version('genai-prices')}"
        self._given = {model: _given(model, prices) for model, prices in (given or {}).items()}
        self._known: dict[tuple[str, str | None], _Prices | None] = {}
        self._lock = threading.Lock()

    def costs(
        self,
        models: Iterable[tuple[str, str | None]],
        calls: npt.NDArray[np.int64],
        tokens: Numbers,
    ) -> Numbers:
        """Returns the dollars of calls, NaN where no price is known.

        Args:
            models: distinct (model, provider).
            calls: which of them each call asked.
            tokens: of each call: input, output, of the input what was read from a cache and written to one.
        """
        costs = np.full(len(calls), math.nan)
        for number, (model, provider) in enumerate(models):
            prices = self._prices(model, provider)
            if prices is None:
                continue
            mine = np.flatnonzero(calls == number)
            used = tokens[mine]
            sets = prices.sets[np.searchsorted(prices.bounds, used[:, 0], side="left")]
            fresh = np.maximum(used[:, 0] - used[:, 2] - used[:, 3], 0)
            rated = np.column_stack([fresh, used[:, 1:]])
            costs[mine] = (rated * sets).sum(axis=1)
        return costs

    def _prices(self, model: str, provider: str | None) -> _Prices | None:
        own = self._given.get(model)
        if own is not None:
            return own
        key = (model, provider)
        with self._lock:
            if key in self._known:
                return self._known[key]
            if len(self._known) >= MAX_MODELS:
                return None
            self._known[key] = found = _listed(model, provider)
            return found


def _given(model: str, prices: Mapping[str, float]) -> _Prices:
    unknown = sorted(set(prices) - set(_FIELDS))
    if unknown or "input" not in prices or "output" not in prices:
        raise ValueError(
            f"cannot use prices of model {model!r}: want input and output, perhaps cache_read and cache_write, "
            f"in dollars for a million tokens; got {sorted(prices)}"
        )
    cached = prices["input"]
    row = [
        prices["input"],
        prices["output"],
        prices.get("cache_read", cached),
        prices.get("cache_write", cached),
    ]
    return _Prices(np.empty(0), np.array([row], np.float64) / _PER)


def _listed(model: str, provider: str | None) -> _Prices | None:
    """Returns the prices that the list has; a provider that it does not know is left out."""
    try:
        first = _asked(model, provider, input_tokens=1)
        known_provider = provider
    except LookupError:
        try:
            first = _asked(model, None, input_tokens=1)
        except LookupError:
            return None
        known_provider = None
    bounds = sorted(
        {
            float(tier.start)
            for name in _LISTED
            for tier in getattr(getattr(first.model_price, name, None), "tiers", ())
        }
    )
    sets = []
    for low in (0.0, *bounds):
        tokens = int(low) + 1
        alone = _dollars(model, known_provider, input_tokens=tokens)
        extra = {
            "output": {"output_tokens": _PER},
            "cache_read": {"cache_read_tokens": tokens},
            "cache_write": {"cache_write_tokens": tokens},
        }
        dollars = {
            name: _dollars(model, known_provider, input_tokens=tokens, **more)
            for name, more in extra.items()
        }
        sets.append(
            [
                alone / tokens,
                (dollars["output"] - alone) / _PER,
                dollars["cache_read"] / tokens,
                dollars["cache_write"] / tokens,
            ]
        )
    return _Prices(np.array(bounds), np.array(sets))


def _dollars(model: str, provider: str | None, **tokens: int) -> float:
    try:
        return float(_asked(model, provider, **tokens).total_price)
    except ValueError:
        # The list has no price of this kind of tokens for the model: they cost what others do.
        plain = {name: count for name, count in tokens.items() if not name.startswith("cache")}
        return float(_asked(model, provider, **plain).total_price)


def _asked(model: str, provider: str | None, **tokens: int) -> Any:
    return calc_price(Usage(**tokens), model_ref=model, provider_id=provider)
