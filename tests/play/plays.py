"""Plays that tests make and run over HTTP, and what comes of them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx

from data.processes import HANG_S

QUESTIONS = (
    ("Where is my parcel?", "parcel"),
    ("I want my money back", "refund"),
    ("Please send the bill again", "invoice"),
    ("Which plan has seats?", "plan"),
    ("Hello", "other"),
)


def rows(count: int) -> list[dict[str, Any]]:
    """Returns rows of a dataset: questions with their topics."""
    return [
        {
            "id": f"r{number}",
            "input": {"question": f"{QUESTIONS[number % 5][0]} ({number})"},
            "expected": QUESTIONS[number % 5][1],
        }
        for number in range(count)
    ]


def column(model: str = "stub", provider: str = "stub", **more: Any) -> dict[str, Any]:
    """Returns a column that asks for a topic in one word."""
    return {
        "name": model,
        "messages": [
            {"role": "system", "content": "Answer in one word."},
            {"role": "user", "content": "{{input.question}}"},
        ],
        "provider": provider,
        "model": model,
        **more,
    }


def typed(*questions: str) -> dict[str, Any]:
    """Returns rows that were typed in."""
    items = {
        f"r{number}": {"input": {"question": text}, "expected": "parcel"}
        for number, text in enumerate(questions)
    }
    return {"source": "typed", "items": items, "order": list(items)}


class Play:
    """A play on a server."""

    def __init__(self, url: str, body: dict[str, Any], name: str = "topics") -> None:
        self.url = url
        made = self.call("POST", "/api/play", {"name": name, "body": body})
        self.document_id: str = made["document_id"]
        self.path = f"/api/play/{self.document_id}"

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        answer = self.asked(method, path, body, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def asked(self, method: str, path: str, body: Any = None, **params: Any) -> httpx.Response:
        return httpx.request(method, self.url + path, json=body, params=params, timeout=HANG_S)

    def body(self) -> Any:
        return self.call("GET", self.path)["body"]

    def edit(self, *path: str | int, value: Any = None, **more: Any) -> Any:
        edits = [{"path": list(path), "value": value}]
        return self.call("PATCH", self.path, {"edits": edits, **more})

    def run(self, what: str = "all", **more: Any) -> Any:
        return self.call("POST", f"{self.path}/run", {"what": what, **more})["run"]

    def cells(self) -> dict[tuple[str, str], Any]:
        told = self.call("GET", f"{self.path}/cells")
        return {(each["column"], each["row"]): each for each in told["cells"]}

    @contextlib.contextmanager
    def watched(self) -> Iterator[Iterator[tuple[str, Any]]]:
        """Gives the events as they come."""
        with httpx.stream("GET", f"{self.url}{self.path}/events", timeout=HANG_S) as answer:
            yield _events(answer.iter_lines())

    def run_to_end(self, what: str = "all", **more: Any) -> Any:
        """Runs cells and returns the run when it has ended."""
        with self.watched() as events:
            assert next(events)[0] == "state"
            self.run(what, **more)
            return next(
                data["run"]
                for name, data in events
                if name == "run" and data["run"]["state"] != "running"
            )


def _events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])
