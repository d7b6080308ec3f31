"""Lines given to `insert` get the ids and times they lack, whatever they look like."""

from __future__ import annotations

import json

import pytest

from tracestore.store.write import row_input

WHOLE = b'{"trace_id":"0a","span_id":"0b","start_ns":5,"attributes":{"trace_id":1}}'


@pytest.mark.parametrize(
    "line",
    [
        b'{"trace_id":"0a","span_id":"0b","start_ns":5,"attributes":{"n":1}}',
        b' { "name" : "x" , "trace_id" : "0a", "span_id": "0b", "start_time": "2026-01-01" , "x": []}',
        b'{"trace_id":"0a","span_id":"0b","start_ns":-5,"ok":true,"no":null,"f":1.5e3,"a":[]}',
    ],
)
def test_whole_lines_are_not_read(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("json.loads", None)
    assert list(row_input.payloads("spans", line + b"\n" + line + b"\n", 7)) == [
        (line + b"\n" + line, 2)
    ]


@pytest.mark.parametrize(
    ("line", "lacks"),
    [
        (WHOLE, []),
        (b'{"trace_id":"","span_id":"0b","start_ns":5,"a":1}', ["trace_id"]),
        (b'{"trace_id":null,"span_id":"0b","start_ns":5,"a":1}', ["trace_id"]),
        (b'{"trace_id":"0a","span_id":"0b","start_ns":null,"a":1}', ["start_ns"]),
        (b'{"trace_id":"0a","span_id":"0b","a":1,"trace_id":null,"start_ns":5}', ["trace_id"]),
        (b'{"trace_id":"0a","span_id":"0b","start_ns":5,"a":1,"trace\\u005fid":""}', ["trace_id"]),
        (b'{"attributes":{"trace_id":"0a"},"span_id":"0b","start_ns":5}', ["trace_id"]),
        (b'{"name":"x","attributes":{"start_ns":5},"trace_id":"0a","span_id":"0b"}', ["start_ns"]),
        (b'{"name":"\\"trace_id\\":\\"0a\\",","span_id":"0b","start_ns":5,"a":1}', ["trace_id"]),
        (b'{"name":"trace_id","b":"span_id","c":"start_ns","d":1}', ["trace_id", "span_id", "start_ns"]),
        (b"{}", ["trace_id", "span_id", "start_ns"]),
    ],
)  # fmt: skip
def test_what_a_line_lacks_is_put_at_its_end(line: bytes, lacks: list[str]) -> None:
    # Between lines that are whole: one of them is enough to read all.
    [(payload, count)] = row_input.payloads("spans", b"\n".join((WHOLE, line, WHOLE)), 7)
    assert count == 3
    first, filled, last = payload.split(b"\n")
    assert first == last == WHOLE
    before, after = json.loads(line), json.loads(filled)
    assert filled.startswith(line.rstrip()[:-1])
    assert {name for name in after if after[name] != before.get(name)} == set(lacks)
    assert all(after[name] for name in lacks)


@pytest.mark.parametrize("line", [b"", b"[1]", b'"x"', b"{", b'{"trace_id":"0a",', b"nope"])
def test_what_is_no_object_stays_as_it_is(line: bytes) -> None:
    assert row_input._fill("spans", line, 7) == line


def test_lines_are_cut_into_payloads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_input, "_PAYLOAD_BYTES", 300)
    lines = [
        b'{"trace_id":"0a","span_id":"%d","start_ns":5,"x":"%b"}' % (n + 1, b"y" * (n % 7) ** 4)
        for n in range(50)
    ]
    for kept in (lines, [*lines[:20], b"{}", b"", *lines[20:]]):
        found = list(row_input.payloads("spans", b"\n".join(kept) + b"\n", 7))
        given = [line for payload, _ in found for line in payload.split(b"\n")]
        assert (
            sum(count for _, count in found) == len(given) == len([line for line in kept if line])
        )
        assert [line for line in given if b'"x"' in line] == lines
        assert all(len(payload) <= 300 or count == 1 for payload, count in found)
