"""Calls of models that are sent without a cost get an estimate that says it is one; prices may be given."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from genai_prices import Usage, calc_price

import tracestore
from tracestore import prices as price_lists
from tracestore.server import Server, ServerSettings

GPT = "gpt-4o-2024-08-06"


_WORDS = {"nan": "NaN", "inf": "Infinity"}


def call(number: int, **attributes: Any) -> dict[str, Any]:
    def value(given: Any) -> dict[str, Any]:
        if isinstance(given, str):
            return {"stringValue": given}
        if isinstance(given, int):
            return {"intValue": str(given)}
        return {"doubleValue": given if math.isfinite(given) else _WORDS[str(given)]}

    named = {name.replace("__", "."): given for name, given in attributes.items()}
    return {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": f"call {number}",
        "startTimeUnixNano": str(1_790_000_000_000_000_000 + number),
        "attributes": [{"key": name, "value": value(given)} for name, given in named.items()],
    }


def chat(number: int, model: str = GPT, **more: Any) -> dict[str, Any]:
    usage = {"gen_ai__usage__input_tokens": 1000, "gen_ai__usage__output_tokens": 100, **more}
    return call(number, gen_ai__operation__name="chat", gen_ai__request__model=model, **usage)


def body(*spans: dict[str, Any]) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}).encode()


def send(store: tracestore.Store, *spans: dict[str, Any]) -> None:
    store.ingest_otlp(body(*spans), "traces", "application/json")


COSTS = "SELECT metrics.estimated_cost AS cost, metadata.cost_estimated_by AS by FROM spans ORDER BY start_ns"


def told(store: Any) -> list[tuple[Any, Any]]:
    return [(row["cost"], row["by"]) for row in store.sql(COSTS).rows()]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tracestore.Store]:
    with tracestore.open(tmp_path / "store", background=False) as opened:
        yield opened


def test_a_cost_is_estimated_where_none_was_sent_and_says_so(
    store: tracestore.Store, tmp_path: Path
) -> None:
    send(
        store,
        chat(1),
        chat(2, gen_ai__usage__cost=0.5),
        chat(3, model="nobody-knows-this"),
        call(4, gen_ai__request__model=GPT),
        chat(5),
        call(6),
    )
    (dollars, source), sent, unknown, untold, second, other = told(store)
    assert dollars == pytest.approx(0.0025 + 0.001)
    assert source.startswith("genai-prices ")
    assert sent == (0.5, None)
    assert unknown == untold == other == (None, None)
    assert second == (dollars, source)
    assert [
        row["c"] for row in store.sql("SELECT sum(metrics.estimated_cost) AS c FROM spans")
    ] == [pytest.approx(0.507)]
    before = told(store)
    store.close()
    with tracestore.open(tmp_path / "store", background=False) as again:
        assert told(again) == before
        again.flush()
        again.compact(full=True)
        assert told(again) == before


@pytest.mark.parametrize("model", [GPT, "claude-sonnet-4-5", "gemini-2.5-pro"])
@pytest.mark.parametrize("tokens", [1, 999, 200_000, 200_001, 250_000, 1_500_000])
@pytest.mark.parametrize("cached", [0, 100])
def test_what_is_computed_at_once_is_what_the_list_says_of_each(
    model: str, tokens: int, cached: int
) -> None:
    import numpy as np

    cached = min(cached, tokens)
    usage = Usage(input_tokens=tokens, output_tokens=77, cache_read_tokens=cached)
    (got,) = price_lists.PriceList().costs(
        [(model, None)], np.zeros(1, np.int64), np.array([[tokens, 77.0, cached, 0.0]])
    )
    assert got == pytest.approx(float(calc_price(usage, model_ref=model).total_price))


def test_given_prices_win_and_wrong_ones_are_refused(tmp_path: Path) -> None:
    own = {"mine": {"input": 2.0, "output": 10.0}, GPT: {"input": 0.0, "output": 0.0}}
    with tracestore.open(tmp_path / "own", background=False, prices=own) as store:
        send(store, chat(1, model="mine"), chat(2))
        assert [cost for cost, _ in told(store)] == [pytest.approx(0.003), 0.0]
    with pytest.raises(ValueError, match="want input and output"):
        tracestore.open(tmp_path / "wrong", prices={"m": {"in": 1.0}})


def test_it_is_off_by_a_setting(tmp_path: Path) -> None:
    with tracestore.open(tmp_path / "off", background=False, estimate_costs=False) as store:
        send(store, chat(1))
        assert told(store) == [(None, None)]
    settings = ServerSettings(data=tmp_path / "s", port=0, grpc_port=-1, estimate_costs=False)
    with Server(settings) as server:
        send(server.store, chat(1))
        assert told(server.store) == [(None, None)]


@pytest.mark.parametrize("tokens", [float("nan"), float("inf"), -5, 2**63 - 1, "many", 12.5])
def test_odd_tokens_cost_nothing_odd(store: tracestore.Store, tokens: Any) -> None:
    send(store, chat(1, gen_ai__usage__input_tokens=tokens), chat(2))
    (cost, _), (usual, _) = told(store)
    assert cost is None or cost >= 0
    assert usual == pytest.approx(0.0035)


def test_a_sender_who_says_what_the_mark_says_keeps_it(store: tracestore.Store) -> None:
    mine = chat(2, tracestore__metadata='{"cost_estimated_by": "me"}')
    send(store, chat(1), mine, chat(3))
    assert [by for _, by in told(store)][1] == "me"
    assert len(told(store)) == 3
