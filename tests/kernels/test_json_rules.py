"""The rules of shredding JSON, one test a rule."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kernels import check, observed, reference
from tracestore.variant import Shredder, unshred


def leaves(text: str | bytes) -> dict[str, Any]:
    return observed.rows(check.shred_json([text], **check.DENSE))[0]


def columns(*texts: str) -> dict[str, list[Any]]:
    table = check.shred_json(texts, **check.DENSE)
    return {name: table.column(name).to_pylist() for name in table.column_names[:-1]}


def back(text: str | bytes) -> bytes:
    line: bytes = unshred(check.shred_json([text], **check.DENSE)).rstrip(b"\n")
    return line


def test_a_path_has_one_leaf_column_for_each_type_it_holds() -> None:
    assert columns('{"a": 1}', '{"a": "x"}', '{"a": true}', '{"a": 2.5}', '{"a": null}') == {
        "a:bool": [None, None, True, None, None],
        "a:f64": [None, None, None, 2.5, None],
        "a:i64": [1, None, None, None, None],
        "a:json": [None, None, None, None, "null"],
        "a:str": [None, "x", None, None, None],
    }


def test_an_object_and_a_scalar_may_share_a_path_across_rows() -> None:
    assert columns('{"a": {"b": 1}}', '{"a": 2}') == {"a.b:i64": [1, None], "a:i64": [None, 2]}


def test_null_and_missing_stay_apart() -> None:
    assert columns('{"a": null}', '{"b": 1}') == {"a:json": ["null", None], "b:i64": [None, 1]}


def test_integers_and_floats_stay_apart() -> None:
    assert columns('{"a": 1}', '{"a": 1.0}') == {"a:f64": [None, 1.0], "a:i64": [1, None]}
    assert back('{"a":1.0}') == b'{"a":1.0}'


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("9223372036854775807", "i64", 2**63 - 1),
        ("-9223372036854775808", "i64", -(2**63)),
        ("9223372036854775808", "json", "9223372036854775808"),
        ("-9223372036854775809", "json", "-9223372036854775809"),
        ("18446744073709551616", "json", "18446744073709551616"),
        ("1e400", "json", "1e400"),
        ("-1E+400", "json", "-1E+400"),
        ("1e-400", "json", "1e-400"),
        ("0.1", "f64", 0.1),
        ("1.10", "f64", 1.1),
        ("1e2", "f64", 100.0),
        ("123456789012345678901234567890", "json", "123456789012345678901234567890"),
        ("1.000000000000000005", "json", "1.000000000000000005"),
        ("5e-324", "f64", 5e-324),
        ("2.225073858507201e-308", "f64", 2.225073858507201e-308),
        ("2.2250738585072011e-308", "json", "2.2250738585072011e-308"),
        ("1.7976931348623157e308", "f64", 1.7976931348623157e308),
        ("1.7976931348623159e308", "json", "1.7976931348623159e308"),
        ("0e999999999999999999999", "f64", 0.0),
        ("-0", "i64", 0),
    ],
)
def test_a_number_no_typed_leaf_holds_exactly_keeps_its_text(
    text: str, name: str, value: Any
) -> None:
    assert columns(f'{{"a": {text}}}') == {f"a:{name}": [value]}
    if name == "json":
        assert back(f'{{"a": {text}}}') == f'{{"a":{text}}}'.encode()


def test_minus_zero_keeps_its_sign() -> None:
    assert leaves('{"a": -0.0}') == {"a:f64": reference.bits(-0.0)}
    assert json.loads(back('{"a": -0.0}')) == {"a": -0.0}
    assert b"-0" in back('{"a": -0.0}')


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[1,2]", "i64[]"),
        ("[1.5,2e0]", "f64[]"),
        ("[true,false]", "bool[]"),
        ('["a",""]', "str[]"),
        ("[1,2.0]", "json[]"),
        ("[1,null]", "json[]"),
        ("[]", "json[]"),
        ("[[1],[2]]", "json[]"),
        ('[{"a":1}]', "json[]"),
        ("[1,9223372036854775808]", "json[]"),
        ("[1.5,1e400]", "json[]"),
        ('[1,"a"]', "json[]"),
        ("[{}]", "json[]"),
    ],
)
def test_a_list_is_typed_when_all_its_elements_are_of_one_type(text: str, kind: str) -> None:
    assert list(leaves(f'{{"a": {text}}}')) == [f"a:{kind}"]
    assert json.loads(back(f'{{"a": {text}}}')) == json.loads(f'{{"a": {text}}}')


def test_elements_of_a_json_list_lose_the_space_between_tokens_and_keep_their_numbers() -> None:
    found = columns('{"a": [ { "k" : [ 1.10 , 1e400 ] , "s" : "a  b" } , null ]}')
    assert found == {"a:json[]": [['{"k":[1.10,1e400],"s":"a  b"}', "null"]]}


def test_an_empty_object_is_a_json_leaf() -> None:
    assert columns('{"a": {}}') == {"a:json": ["{}"]}
    assert columns("{}") == {":json": ["{}"]}


def test_a_row_may_be_any_json_value() -> None:
    texts = ["1", "2.5", '"x"', "null", "true", "[]", "[1]", "{}", '{"a":[]}']
    check.json_rows(texts, **check.DENSE)
    check.json_rows(texts)


def test_a_duplicate_key_keeps_its_last_value() -> None:
    assert columns('{"a": 1, "a": "x"}') == {"a:str": ["x"]}
    assert columns('{"a": {"b": 1}, "a": 2}') == {"a:i64": [2]}
    assert columns('{"a": 2, "a": {"b": 1}}') == {"a.b:i64": [1]}
    assert columns('{"a": {"b": 1}, "a": {"c": 1}}') == {"a.c:i64": [1]}
    assert columns(r'{"a": 1, "\u0061": 2}') == {"a:i64": [2]}


def test_a_duplicate_key_inside_a_json_list_reads_as_its_last_value() -> None:
    assert json.loads(back('[{"a": 1, "a": 2}]')) == [{"a": 2}]


def test_keys_with_dots_quotes_and_brackets_are_quoted_in_the_column_name() -> None:
    text = r'{"a.b": 1, "q\"q": 1, "": 1, "x y": 1, "[0]": 1, "a:i64": 1, "n\n": 1, "ключ": 1}'
    assert set(columns(text)) == {
        '"a.b":i64',
        r'"q\"q":i64',
        '"":i64',
        '"x y":i64',
        '"[0]":i64',
        '"a:i64":i64',
        r'"n\n":i64',
        "ключ:i64",
    }
    check.json_rows([text], **check.DENSE)


def test_a_dotted_key_and_nested_objects_are_different_paths() -> None:
    assert set(columns('{"a.b": 1, "a": {"b": 2}}')) == {'"a.b":i64', "a.b:i64"}


def test_a_lone_surrogate_becomes_the_replacement_character_and_is_counted() -> None:
    shredder = Shredder(table="json", **check.DENSE)
    report = shredder.append_json(rb'{"a": "x\ud800y", "b": "\udc00\ud800", "c": "\ud83d\ude00"}')
    assert report.repaired_strings == 2
    row = observed.rows(shredder.finish())[0]
    assert row["a:str"] == ("s", "x\ufffdy")
    assert row["b:str"] == ("s", "\ufffd\ufffd")
    assert row["c:str"] == ("s", "\U0001f600")


@pytest.mark.parametrize(
    "bad",
    [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xf0\x9f\x98a"],
)
def test_invalid_utf8_in_a_string_is_replaced_and_counted(bad: bytes) -> None:
    shredder = Shredder(table="json", **check.DENSE)
    report = shredder.append_json(b'{"a": "x' + bad + b'y", "ok": "z"}')
    assert report.rejected == []
    assert report.repaired_strings == 1
    row = observed.rows(shredder.finish())[0]
    assert row["a:str"] == ("s", (b"x" + bad + b"y").decode("utf-8", errors="replace"))


def test_invalid_utf8_in_a_key_and_in_a_list_element_is_replaced() -> None:
    row = leaves(b'{"k\xff": 1, "l": [{"a": "\xfe"}]}')
    assert row["k\ufffd:i64"] == ("i", 1)
    assert row["l:json[]"] == reference.canon([{"a": "\ufffd"}])


def test_nul_is_a_character_like_others() -> None:
    assert leaves(r'{"a\u0000b": "x\u0000y"}')['"a\\u0000b":str'] == ("s", "x\0y")
    assert json.loads(back(r'{"a\u0000b": "x\u0000y"}')) == {"a\0b": "x\0y"}


def nested(keys: int, value: str = "1") -> str:
    return '{"k":' * keys + value + "}" * keys


def test_a_value_below_64_keys_is_json_text() -> None:
    assert list(leaves(nested(64))) == [".".join(["k"] * 64) + ":i64"]
    assert list(leaves(nested(65))) == [".".join(["k"] * 64) + ":json"]
    assert leaves(nested(64, "{}")) == {".".join(["k"] * 64) + ":json": reference.canon({})}


def test_objects_200_deep_come_back() -> None:
    for value in ("1", '{"x":[1,{"y":null}]}', "1e400"):
        check.json_rows([nested(200, value), nested(3)], **check.DENSE)


def test_nesting_is_followed_to_1024_brackets_and_refused_beyond() -> None:
    check.json_rows(["[" * 1024 + "]" * 1024, nested(1024)], **check.DENSE)
    for text in ("[" * 1025 + "]" * 1025, nested(1025), "[" * 100_000, '{"a":' * 100_000):
        shredder = Shredder(table="json")
        report = shredder.append_json(text.encode())
        assert report.rows == 0
        assert [row for row, _, _ in report.rejected] == [0]


def test_a_batch_may_hold_20_000_distinct_keys() -> None:
    texts = [
        json.dumps({"row": row, **{f"k{row * 20 + key}": key for key in range(20)}})
        for row in range(1000)
    ]
    table = check.shred_json(texts)
    assert table.column_names == ["row:i64", "_overflow"]
    assert observed.rows(table) == [reference.shred_json(text) for text in texts]
    wide = "{" + ",".join(f'"k{key}":{key}' for key in range(20_000)) + "}"
    check.json_rows([wide])


def test_paths_beyond_the_bound_stay_in_overflow_and_are_counted() -> None:
    shredder = Shredder(table="json", max_paths=10, **check.DENSE)
    texts = [json.dumps({f"k{row * 5 + key}": [key, {"x": row}] for key in range(5)})
             for row in range(10)]  # fmt: skip
    report = shredder.append_json("\n".join(texts).encode())
    assert report.spilled_values >= 40
    table = shredder.finish()
    assert len(table.column_names) == 11
    values = [reference.canon(json.loads(text)) for text in texts]
    assert observed.json_lines(unshred(table)) == values


def test_a_string_of_50_mb_comes_back() -> None:
    text = "x" * 24_999_999 + "\u2603" + "\\" + "y" * 25_000_000
    table = check.shred_json([json.dumps({"big": text, "a": 1})], **check.DENSE)
    assert table.column("big:str").to_pylist() == [text]
    assert json.loads(unshred(table)) == {"big": text, "a": 1}
