"""Paths and leaf names: their text form and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import observed, reference
from tracestore.errors import PathSyntaxError
from tracestore.variant import format_path, leaf_name, parse_leaf_name, parse_path

keys = st.text(max_size=6) | st.sampled_from(["a", "a.b", "", "[0]", 'q"', "x:i64", "\\", "\n"])


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ["a"]),
        ("a.b", ["a", "b"]),
        ('a."b.c".d', ["a", "b.c", "d"]),
        ('input.messages[0]."a.b"', ["input", "messages", 0, "a.b"]),
        ("a[-1]", ["a", -1]),
        ("a[0][12].b", ["a", 0, 12, "b"]),
        ('""', [""]),
        (r'"q\"\\\n\u2603"', ['q"\\\n☃']),
        ("ключ.ключ", ["ключ", "ключ"]),
    ],
)
def test_the_text_form_reads_as_its_keys(text: str, path: list[str | int]) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize(
    "text",
    ["a.", ".a", "a..b", '"a', 'a"b"', "a[", "a[x]", "a[]", "a[0", "a]b", 'a."', "a[0]b", '"\\x"'],
)
def test_a_text_that_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(PathSyntaxError):
        parse_path(text)


@given(path=st.lists(keys, min_size=1, max_size=4))
def test_format_is_the_inverse_of_parse(path: list[str]) -> None:
    assert parse_path(format_path(path)) == path
    assert format_path(path) == reference.format_path(tuple(path))


@given(path=st.lists(keys, max_size=4), kind=st.sampled_from(observed.LEAF_TYPES))
def test_a_leaf_name_reads_as_its_path_and_type(path: list[str], kind: str) -> None:
    assert parse_leaf_name(leaf_name(path, kind)) == (path, kind)
