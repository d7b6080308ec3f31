"""Words are cut as Unicode cuts them, in any script, and found in texts and in JSON whatever its spelling."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pyarrow as pa
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import reference_words, write_word_break
from tracestore.variant import find_words, words

CUT = {
    "Hello, World!": ["hello", "world"],
    "can't stop, won't": ["can't", "stop", "won't"],
    "3.14 and 1,000.5": ["3.14", "and", "1,000.5"],
    "foo_bar gpt-4o e.g. a.b": ["foo_bar", "gpt", "4o", "e.g", "a.b"],
    "Dear team,\nrefund\tplease": ["dear", "team", "refund", "please"],
    "退款 你好": ["退", "款", "你", "好"],
    "ありがとう カタカナ": ["あ", "り", "が", "と", "う", "カタカナ"],
    "한국어 텍스트": ["한국어", "텍스트"],
    "naïve ÜBUNG ΣΟΦΌΣ Привет": ["naïve", "übung", "σοφόσ", "привет"],
    'שלום צה"ל': ["שלום", 'צה"ל'],
    "🔥 !? — «»": [],
    "": [],
}
CHARACTERS = st.one_of(
    st.sampled_from(
        "aBz09_.,:;'\"-\r\n\t  \u2019\u2028\u00ad\u200d\u0301\u05d0\u05d1\u30a2\u30f6\u4e00\u4e8c\u3042\ud55c\uac00"
        "\U0001f1e9\U0001f1ea\U0001f525\U0001f469\u0663\u00e9\u0130\u00df\u0661\u00b7\u203f"
    ),
    st.characters(exclude_categories=["Cs"]),
)
TEXTS = st.text(CHARACTERS, max_size=12)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-999, 999), st.just(2.5), TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("text", CUT)
def test_a_text_is_cut_into_words(text: str) -> None:
    assert words(text) == CUT[text]


@settings(max_examples=400)
@given(text=TEXTS)
def test_words_are_those_of_the_twin(text: str) -> None:
    assert words(text) == reference_words.words(text)


def test_the_tables_hold_what_another_library_says() -> None:
    """Of characters that Python's Unicode knows: a newer one adds others, whose run again writes the tables."""
    text = write_word_break.HEADER.read_text()
    held: dict[int, int] = {}
    classes = text[text.index("ts_word_classes") : text.index("ts_word_folds")]
    for first, last, value in regex.findall(r"\{(\d+),(\d+),(\d+)\}", classes):
        held |= dict.fromkeys(range(int(first), int(last) + 1), int(value))
    now = write_word_break.classes()
    known = [code for code in range(0x30000) if unicodedata.category(chr(code)) not in {"Cn", "Cs"}]
    assert {code for code in known if held.get(code) != now.get(code)} == set()


@settings(max_examples=200)
@given(rows=st.lists(st.one_of(st.none(), TEXTS), max_size=6), needle=TEXTS)
def test_words_are_found_in_texts(rows: list[str | None], needle: str) -> None:
    wanted = list(dict.fromkeys(words(needle)))[:64]
    column = pa.array(["cut away", *rows], pa.string())[1:]
    bits = find_words(column, wanted, of_json=False).to_pylist()
    for row, found in zip(rows, bits, strict=True):
        held = set(reference_words.words(row or ""))
        assert [bool(found >> i & 1) for i in range(len(wanted))] == [w in held for w in wanted]


@settings(max_examples=200)
@given(value=VALUES, needle=TEXTS, ascii_only=st.booleans())
def test_words_are_found_in_json_whatever_its_spelling(
    value: Any, needle: str, *, ascii_only: bool
) -> None:
    wanted = list(dict.fromkeys([*words(needle), "true", "2.5"]))[:64]
    spelled = json.dumps(value, ensure_ascii=ascii_only, indent=1 if ascii_only else None)
    [found] = find_words(pa.array([spelled]), wanted, of_json=True).to_pylist()
    held = {w for text in reference_words.texts_of(value) for w in reference_words.words(text)}
    assert [bool(found >> i & 1) for i in range(len(wanted))] == [w in held for w in wanted]


@given(st.binary(max_size=40), st.booleans())
def test_bytes_of_any_kind_are_read_to_their_end(data: bytes, of_json: bool) -> None:
    column = pa.Array.from_buffers(
        pa.string(),
        1,
        [None, pa.array([0, len(data)], pa.int32()).buffers()[1], pa.py_buffer(data)],
    )
    assert 0 <= find_words(column, ["a", "b"], of_json=of_json)[0].as_py() < 4


def test_what_is_no_json_is_a_text() -> None:
    assert find_words(pa.array(["{refund"]), ["refund"], of_json=True).to_pylist() == [1]


def test_many_words_have_a_bit_each() -> None:
    wanted = [f"w{i}" for i in range(64)]
    assert find_words(pa.array([" ".join(wanted)]), wanted, of_json=False).to_pylist() == [
        2**64 - 1
    ]
