"""What the support team saved: a board, views, a queue of answers to review, and an alert."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from tracestore.client import Client
from tracestore.demo.support import PROJECT

BOARD: Final = "Support today"

_VIEWS: Final = {
    "Failed tools": "view=spans&where=type = 'tool' AND status_code = 'ERROR'",
    "Slow answers": "where=is_root AND duration > 5&sort=-duration",
}

QUEUE: Final = "Did it help?"

_ASKED: Final = {
    "where": "is_root AND metadata.topic IN ('refund', 'invoice') AND experiment IS NULL",
    "questions": [
        {"name": "helpful", "labels": []},
        {"name": "problem", "labels": ["none", "wrong", "rude", "too long", "did not act"]},
    ],
    "dataset": "reviewed",
}

ALERT: Final = "Tools fail"

_RULE: Final = {
    "sql": "SELECT count(*)\nFROM spans\nWHERE type = 'tool' AND status_code = 'ERROR' "
    "AND start_time >= now() - INTERVAL 1 DAY",
    "op": ">",
    "threshold": 3,
    "every_s": 60,
}


def save_documents(client: Client) -> None:
    """Saves all of it."""
    text = Path(__file__).with_name("support_board.json").read_text("utf-8")
    client.documents.create("board", BOARD, json.loads(text), project=PROJECT)
    for name, search in _VIEWS.items():
        client.documents.create("view", name, {"search": search}, project=PROJECT)
    client.documents.create("queue", QUEUE, _ASKED, project=PROJECT)
    client.alerts.create(ALERT, _RULE, project=PROJECT)
