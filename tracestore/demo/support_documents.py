"""What the support team saved: a board and views."""

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


def save_documents(client: Client) -> None:
    """Saves the board and the views."""
    text = Path(__file__).with_name("support_board.json").read_text("utf-8")
    client.documents.create("board", BOARD, json.loads(text), project=PROJECT)
    for name, search in _VIEWS.items():
        client.documents.create("view", name, {"search": search}, project=PROJECT)
