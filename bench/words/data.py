"""Spans with a message of prose each: words as often as in a language, one in 2 % of the rows, some in five."""

from __future__ import annotations

import random
from collections.abc import Iterator

START_NS = 1_790_000_000_000_000_000
BATCH_ROWS = 50_000
VOCABULARY = 30_000
MESSAGE_WORDS = 12

COMMON_WORD = "timeout"
COMMON_SHARE = 0.02
RARE_WORDS = 40
RARE_ROWS = 5


def rare_word(number: int) -> str:
    """Returns one of the words that few rows hold."""
    return f"needle{number}x"


def messages(rows: int) -> Iterator[list[str]]:
    """Yields the messages, in batches."""
    rng = random.Random(11)
    vocabulary = [f"w{number:x}" for number in range(VOCABULARY)]
    weights = [1 / (number + 5) for number in range(VOCABULARY)]
    # Drawing each word by its weight would take most of the run.
    drawn = rng.choices(vocabulary, weights, k=1 << 20)
    rare = {
        rng.randrange(rows): rare_word(number)
        for number in range(RARE_WORDS)
        for _ in range(RARE_ROWS)
    }
    for start in range(0, rows, BATCH_ROWS):
        batch = []
        for i in range(start, min(start + BATCH_ROWS, rows)):
            at = int(rng.random() * (len(drawn) - MESSAGE_WORDS))
            message = " ".join(drawn[at : at + MESSAGE_WORDS])
            if rng.random() < COMMON_SHARE:
                message += f" {COMMON_WORD}"
            if i in rare:
                message += f" {rare[i]}"
            batch.append(message)
        yield batch


def spans(first: int, batch: list[str]) -> bytes:
    """Returns NDJSON of spans with these messages."""
    rng = random.Random(first)
    # Written by hand: encoding 10 M dicts would take most of the run.
    return "\n".join(
        f'{{"trace_id":"{rng.getrandbits(128) | 1:032x}","span_id":"{rng.getrandbits(64) | 1:016x}",'
        f'"name":"op{i % 7}","kind":"CLIENT","start_ns":{START_NS + i * 50_000},'
        f'"duration_ns":{int(rng.random() * 1e9)},"status_code":"OK",'
        f'"attributes":{{"http.route":"/api/{i % 50}","user.id":"user-{i % 5000}","message":"{message}"}}}}'
        for i, message in enumerate(batch, first)
    ).encode()
