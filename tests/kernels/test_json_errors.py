"""What the JSON reader refuses: alone, with offset and reason, and never with a crash."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import check, observed, reference, strategies
from tracestore.variant import Shredder, unshred


def test_a_bad_line_is_refused_alone_with_offset_and_reason() -> None:
    data = b'{"a": 1}\n{"a": tru}\n{"a": 2}\n'
    shredder = Shredder(table="json", **check.DENSE)
    report = shredder.append_json(data)
    assert report.rows == 2
    [(row, offset, reason)] = report.rejected
    assert row == 1
    assert len(b'{"a": 1}\n') <= offset <= data.index(b"\n", 10)
    assert reason
    assert reason[0].islower()
    assert not reason.endswith(".")
    assert shredder.finish().column("a:i64").to_pylist() == [1, 2]


def test_a_refused_row_leaves_nothing_behind() -> None:
    shredder = Shredder(table="json", **check.DENSE)
    report = shredder.append_json(
        b'{"x": {"y": [1, {"z": 2}]}, "s": "text", "bad": }\n{"a": 2, "s": "t"}'
    )
    assert report.rows == 1
    table = shredder.finish()
    assert table.column_names == ["a:i64", "s:str", "_overflow"]
    assert observed.rows(table) == [reference.shred_json('{"a": 2, "s": "t"}')]


def test_a_cut_line_does_not_take_the_next_one_with_it() -> None:
    shredder = Shredder(table="json", **check.DENSE)
    report = shredder.append_json(b'{"a": 1\n{"a": 2}\n{"a": "x\n{"a": 3}\n')
    assert [row for row, _, _ in report.rejected] == [0, 2]
    assert shredder.finish().column("a:i64").to_pylist() == [2, 3]


def test_a_value_may_span_lines() -> None:
    shredder = Shredder(table="json", **check.DENSE)
    report = shredder.append_json(b'{\n "a": [\n1\n]\n}\n\n{"a": [2]}\n')
    assert (report.rows, report.rejected) == (2, [])
    assert shredder.finish().column("a:i64[]").to_pylist() == [[1], [2]]


def test_a_byte_order_mark_before_the_first_row_is_skipped() -> None:
    assert list(observed.rows(check.shred_json([b"\xef\xbb\xbf1"]))[0]) == [":i64"]
    report = Shredder(table="json").append_json(b"1\n\xef\xbb\xbf2\n")
    assert (report.rows, len(report.rejected)) == (1, 1)


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\t\n", b"\n\n\n"])
def test_empty_lines_are_no_rows(data: bytes) -> None:
    shredder = Shredder(table="json")
    report = shredder.append_json(data)
    assert (report.rows, report.rejected) == (0, [])
    assert shredder.finish().num_rows == 0


def test_the_last_line_needs_no_newline_and_crlf_ends_lines_too() -> None:
    shredder = Shredder(table="json", **check.DENSE)
    shredder.append_json(b'{"a":1}\r\n{"a":2}')
    assert shredder.finish().column("a:i64").to_pylist() == [1, 2]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1} {"a": 2}', "[][]", "1 2", "nul", "True", "NaN", "-Infinity", "+1", "01", "1.",
        ".5", "1e", "1e+", "-", "--1", "0x1", "1_0", "'a'", '"a', '"\\x"', '"\\u12"', '"\\u12g4"',
        '"\t"', '"\x01"', "[1,]", "[,1]", "[1 2]", '{"a"}', '{"a":}', '{"a":1,}', "{a:1}", "{1:1}",
        '{"a":1', "[1", "]", "}", ",", ":", "[1}", '{"a":1]', "// c", "/**/1", "\u00a01",
        "\x0b1", "\x0c1", "1\x00", "\x00", "[\x00]", '"a"b', "tru", "truee", "{}x", '"\\ud8"',
    ],
)  # fmt: skip
def test_a_text_outside_the_grammar_is_refused(text: str) -> None:
    shredder = Shredder(table="json")
    report = shredder.append_json(text.encode())
    assert report.rows == 0
    assert len(report.rejected) == 1
    assert shredder.rows == 0


def lines_of(data: bytes) -> list[bytes]:
    return [line for line in data.split(b"\n") if line.strip(b" \t\r")]


def hold_against_twin(data: bytes) -> None:
    """Asserts that each line, fed alone, is shredded as the twin does or refused as it does."""
    for line in lines_of(data):
        shredder = Shredder(table="json", **check.DENSE)
        report = shredder.append_json(line)
        try:
            expected = reference.shred_json(line)
        except reference.BadValueError:
            assert (report.rows, len(report.rejected)) == (0, 1), line
        else:
            assert (report.rows, report.rejected) == (1, []), line
            table = shredder.finish()
            assert observed.rows(table) == [expected]
            value = reference.canon(reference.parse(line))
            assert observed.json_lines(unshred(table)) == [value]


@given(
    text=strategies.row_texts,
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_changed_bytes_are_read_as_the_twin_reads_them(
    text: str, flips: list[tuple[int, int]]
) -> None:
    data = bytearray(text.encode())
    for place, byte in flips:
        data[place % len(data)] = byte
    hold_against_twin(bytes(data))


@given(text=strategies.row_texts)
def test_every_cut_is_read_as_the_twin_reads_it(text: str) -> None:
    data = text.encode()
    for end in range(len(data)):
        hold_against_twin(data[:end])


@given(data=st.binary(max_size=40))
def test_any_bytes_are_read_as_the_twin_reads_them(data: bytes) -> None:
    hold_against_twin(data)


def test_a_batch_of_damaged_lines_keeps_every_line_that_is_whole() -> None:
    rng = random.Random(7)
    good = [json.dumps({"n": n, "v": [n, {"w": "x" * (n % 50)}]}).encode() for n in range(300)]
    damaged = []
    for line in good:
        if rng.random() < 0.3:
            line = line[: rng.randrange(1, len(line))]  # noqa: PLW2901
        damaged.append(line)
    shredder = Shredder(table="json", **check.DENSE)
    report = shredder.append_json(b"\n".join(damaged))
    kept = [whole for whole, line in zip(good, damaged, strict=True) if whole == line]
    assert report.rows == len(kept)
    assert observed.rows(shredder.finish()) == [reference.shred_json(line) for line in kept]
