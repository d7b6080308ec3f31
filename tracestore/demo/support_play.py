"""The support team's prompt: two versions of it tried on questions with the stub of the models, one in production."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tracestore.client import Client
from tracestore.demo.support import PROJECT
from tracestore.play.providers.settings import ProviderSettings

SLUG: Final = "topic"
DATASET: Final = "topics"
PLAY: Final = "Which topic?"

_ORDERS: Final = (20_000, 20_077, 20_154)
"""Cases made of each question: the same question about other orders."""

_FIRST: Final = "Answer in one word: parcel, refund, address, voucher, plan or invoice."
_SECOND: Final = (
    _FIRST + "\nrefund: broken, charged twice\naddress: change the address\nvoucher: voucher"
)


def stub_providers(url: str) -> dict[str, ProviderSettings]:
    """Returns the stub under the names of the providers whose models the support agent calls."""
    return {
        "openai": ProviderSettings(kind="openai", base_url=f"{url}/v1"),
        "anthropic": ProviderSettings(kind="anthropic", base_url=url),
    }


def save_play(client: Client) -> tuple[str, str]:
    """Saves the prompt, the play and what came of it; returns the play, and the trace of a wrong answer."""
    rows = _rows()
    client.datasets.add(DATASET, rows, project=PROJECT)
    first = client.prompts.create(SLUG, _body(_FIRST), project=PROJECT)
    client.prompts.label(SLUG, "production", first.version, project=PROJECT)
    second = client.prompts.save(SLUG, _body(_SECOND), version=first.version, project=PROJECT)
    wrong = ""
    prompt = client.prompts.get(SLUG, label="production", project=PROJECT)
    for row in rows[: len(rows) // len(_ORDERS)]:
        run = prompt.run(row["input"])
        right = run.output == row["expected"]
        client.score((run.trace_id, run.span_id), "right_topic", float(right), project=PROJECT)
        wrong = wrong if right else wrong or run.trace_id
    versions = {"v1": first.version, "v2": second.version}
    body = {
        "rows": {"source": "dataset", "dataset": DATASET},
        "columns": {
            name: {"name": name, "prompt": {"slug": SLUG, "version": version}}
            for name, version in versions.items()
        },
        "order": list(versions),
        "scorers": ["exact_match"],
    }
    play = client.plays.create(PLAY, body, project=PROJECT)
    client.plays.run(play["document_id"], "all", project=PROJECT)
    return play["document_id"], wrong


def _body(system: str) -> dict[str, Any]:
    return {
        "description": "What a message is about, for the queue that it goes to.",
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": "{{input.question}}"},
        ],
        "provider": "openai",
        "model": "gpt-4o-mini",
        "parameters": {"temperature": 0},
    }


def _rows() -> list[dict[str, Any]]:
    text = Path(__file__).with_name("support_cases.json").read_text("utf-8")
    return [
        {
            "input": {"question": case["question"].format(order=order)},
            "expected": case["category"],
            "metadata": {"order": order},
        }
        for order in _ORDERS
        for case in json.loads(text)
    ]
