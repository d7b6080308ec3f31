"""Damaged payloads: a right result or a typed error, never a crash. Run under sanitizers too."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from data import payloads
from kernels import check, reference_otlp
from tracestore.errors import PayloadError
from tracestore.variant import Shredder

FLIPS = int(os.environ.get("TRACESTORE_FLIPS", "1500"))
SIGNALS = pytest.mark.parametrize("signal", ["traces", "logs"])


def append(shredder: Any, body: bytes, signal: str, encoding: str) -> Any:
    """Appends a body; None stands for a typed refusal of the whole of it."""
    try:
        return shredder.append_otlp(body, signal=signal, content_type=check.CONTENT_TYPES[encoding])
    except PayloadError as error:
        assert 0 <= error.offset <= len(body)
        assert error.reason
        return None


def hold_against_twin(body: bytes, signal: str) -> bool:
    """Asserts that a protobuf body is read as the twin reads it; tells whether it was read."""
    shredder = Shredder(table="spans" if signal == "traces" else "logs", **check.DENSE)
    report = append(shredder, body, signal, "protobuf")
    try:
        expected = reference_otlp.shred_protobuf(body, signal)
    except reference_otlp.DecodeError as error:
        # protobuf refuses the whole message for one string of invalid UTF-8; we repair the string.
        assert report is None or report.rejected or "UTF-8" in str(error), (error, body.hex())
        return False
    assert report is not None, body.hex()
    check.otlp_report(report, expected)
    check.otlp_table(shredder.finish(), signal, expected)
    return True


@SIGNALS
@pytest.mark.parametrize("seed", [1, 2])
def test_a_body_cut_at_any_byte_is_read_as_protobuf_reads_it(signal: str, seed: int) -> None:
    body = payloads.request(signal, seed, rows=3, odd=True).SerializeToString()
    for end in range(len(body)):
        hold_against_twin(body[:end], signal)


@SIGNALS
def test_flipped_bytes_are_read_as_protobuf_reads_them(signal: str) -> None:
    rng = random.Random(11)
    bodies = [
        payloads.request(signal, seed, rows=2, odd=True).SerializeToString() for seed in range(20)
    ]
    read = 0
    for _ in range(FLIPS):
        body = bytearray(rng.choice(bodies))
        for _ in range(rng.choice([1, 1, 2, 5])):
            body[rng.randrange(len(body))] = rng.choice([rng.randrange(256), 0, 0xFF, 0x80])
        read += hold_against_twin(bytes(body), signal)
    assert read  # the flips are not so wild that all is refused


@SIGNALS
def test_any_bytes_are_read_as_protobuf_reads_them(signal: str) -> None:
    rng = random.Random(12)
    for _ in range(FLIPS):
        body = bytes(
            rng.choice([0x0A, 0x12, 0x1A, 0x01, 0x02, 0x00, rng.randrange(256)])
            for _ in range(rng.randrange(24))
        )
        hold_against_twin(body, signal)


@SIGNALS
def test_json_cut_or_flipped_is_refused_or_read(signal: str) -> None:
    rng = random.Random(13)
    whole = reference_otlp.encode_json(payloads.request(signal, 3, rows=2, odd=True))
    shredder = Shredder(table="spans" if signal == "traces" else "logs")
    for end in range(1, len(whole)):
        assert append(shredder, whole[:end], signal, "json") is None
        assert shredder.rows == 0
    for _ in range(FLIPS):
        body = bytearray(whole)
        for _ in range(rng.choice([1, 1, 3])):
            body[rng.randrange(len(body))] = rng.choice(b'{}[]",:0-e\\\x00\xff ntf')
        report = append(shredder, bytes(body), signal, "json")
        table = shredder.finish()
        table.validate(full=True)
        assert table.num_rows == (report.rows if report else 0)


@SIGNALS
def test_a_refused_body_leaves_the_builder_as_it_was(signal: str) -> None:
    good = payloads.request(signal, 4, rows=5).SerializeToString()
    other = payloads.request(signal, 5, rows=5, odd=True).SerializeToString()
    shredder = Shredder(table="spans" if signal == "traces" else "logs")
    shredder.append_otlp(good, signal=signal)
    before = shredder.export()
    for end in range(len(other) - 40, len(other)):
        if append(shredder, other[:end], signal, "protobuf") is None:
            assert shredder.export().equals(before)
        else:
            shredder.finish()
            shredder.append_otlp(good, signal=signal)
