"""Tables on a terminal and in a pipe: nothing of the data is lost, hidden or obeyed."""

from __future__ import annotations

import datetime
import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tracestore.cli.cells import in_one_line, padded, text_of, width_of
from tracestore.cli.printing import show
from tracestore.cli.text_table import (
    LEAST_WIDTH,
    columns_of,
    table_lines,
    vertical_lines,
    widths_of,
)

WIDE_ROW = {f"column_{number}": "value " * number for number in range(30)}


def table(rows: list[dict[str, Any]], width: int | None) -> list[str]:
    names = list(rows[0])
    values = [[row[name] for name in names] for row in rows]
    return list(table_lines(columns_of(names, None, values), width))


def test_markup_in_data_is_text() -> None:
    for text in ("[INST]", "[bold]x", "[/red]", ":smile:", "[link=http://x]y"):
        assert any(text in line for line in table([{"a": text}], 80))
        assert any(text in line for line in vertical_lines(["a"], [[text]], 80))


def test_a_terminal_obeys_nothing_in_data() -> None:
    hostile = "a\x1b[31mred\x07\r\nb\tc\u202ereversed\x9b2J\ud800"
    printed = "\n".join([*table([{"a": hostile}], 200), *vertical_lines(["a"], [[hostile]], 80)])
    obeyed = {character for character in printed if unicodedata.category(character) in {"Cc", "Cs"}}
    assert obeyed == {"\n"}
    assert "\u202e" not in printed
    assert "a\\x1b[31mred" in printed


@given(st.text(max_size=200), st.integers(2, 60))
def test_a_cell_is_as_wide_as_it_says(text: str, width: int) -> None:
    line = padded(in_one_line(text), width)
    assert width_of(line) == cell_len(line) == width


def test_wide_characters_take_two_places() -> None:
    lines = table([{"a": "日本語テキスト", "b": "ascii"}, {"a": "x", "b": "e\u0301"}], 80)
    assert {cell_len(line) for line in lines} == {cell_len(lines[0])}


@given(st.lists(st.integers(1, 300), min_size=1, max_size=60), st.integers(20, 200))
def test_no_column_is_narrower_than_it_needs_or_the_least(natural: list[int], width: int) -> None:
    widths = widths_of(natural, width, [min(own, LEAST_WIDTH) for own in natural])
    assert 1 <= len(widths) <= len(natural)
    assert sum(widths) + 3 * len(widths) + 1 <= width
    if len(widths) > 1:
        assert all(
            given_width >= min(own, LEAST_WIDTH)
            for given_width, own in zip(widths, natural, strict=False)
        )
    if sum(natural) + 3 * len(natural) + 1 <= width:
        assert widths == natural


def test_columns_without_a_place_are_named_below_the_table() -> None:
    lines = table([WIDE_ROW], 80)
    assert all(cell_len(line) <= 80 for line in lines)
    shown = lines[1].count("│") - 1
    assert lines[-2].startswith(f"… {30 - shown} more columns: column_{shown}, ")
    assert "--wide" in lines[-1] and "--vertical" in lines[-1]


def test_a_pipe_gets_every_column_whole() -> None:
    lines = table([WIDE_ROW], None)
    assert WIDE_ROW["column_29"] in lines[3]
    assert not any("…" in line for line in lines)


def test_vertical_shows_every_value_whole() -> None:
    lines = list(vertical_lines(list(WIDE_ROW), [list(WIDE_ROW.values())], 80))
    assert lines[0].startswith("── row 1 ──")
    assert len(lines) == 31
    assert lines[-1] == f"column_29 │ {WIDE_ROW['column_29'].rstrip()}"
    assert list(vertical_lines(["a", "bb"], [["x\ny", None]], None))[1:] == [
        "a  │ x",
        "   │ y",
        "bb │ NULL",
    ]


def test_numbers_stand_at_the_right_and_what_is_missing_says_so() -> None:
    lines = table([{"n": 5, "t": "a"}, {"n": None, "t": None}, {"n": 1234, "t": ""}], 80)
    assert lines[3:6] == ["│    5 │ a    │", "│ NULL │ NULL │", "│ 1234 │      │"]


def test_values_read_as_they_are() -> None:
    assert text_of({"a": [1, "ü"]}) == '{"a": [1, "ü"]}'
    assert text_of(True) == "true"
    assert text_of(b"\x00\xff") == "\\x00ff"
    assert text_of(0.1) == "0.1"


@pytest.mark.parametrize("kind", ["json", "ndjson", "csv"])
def test_other_formats_keep_columns_of_no_rows(
    kind: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    show([], kind, columns=["a", "b"])
    assert capsys.readouterr().out == {"json": "[]\n", "ndjson": "", "csv": "a,b\n"}[kind]


def test_json_is_json_whatever_the_number(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"a": float("nan"), "b": [float("inf")], "c": 0.5}], "json")
    printed = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert printed == [{"a": "NaN", "b": ["Infinity"], "c": 0.5}]


def test_a_list_of_things_is_brief_and_other_formats_have_the_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    row = {"created": datetime.datetime(2026, 11, 27, 15, 4, 5, 678, tzinfo=zone), "base": None}
    show([row], brief=True)
    assert capsys.readouterr().out.splitlines()[1:4:2] == [
        "│ created          │",
        "│ 2026-11-27 13:04 │",
    ]
    show([row], "csv", brief=True)
    assert capsys.readouterr().out.splitlines()[1] == "2026-11-27 15:04:05.000678+02:00,"


def test_numbers_and_times_are_whole_or_left_out() -> None:
    moment = datetime.datetime(2026, 11, 27, 13, 4, 5, 678901, tzinfo=datetime.UTC)
    row = {
        "text": "word " * 20,
        "ns": 1795651226932208226,
        "more": "word " * 20,
        "at": moment,
        "last": 2**62,
    }
    shown = "\n".join(table([row], 80))
    assert "1795651226932208226" in shown
    assert "2026-11-27" not in shown or str(moment) in shown
    assert "… 2 more columns: at, last" in shown
    assert "1795651226932208226" not in "\n".join(table([row], 30))
