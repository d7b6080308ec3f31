"""Templates of prompts: what they may say, and that no template and no value takes the server's time or files."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracestore import templates
from tracestore.errors import TemplateError

VALUES = {
    "input": {
        "question": "a < b & 'c'",
        "items": [{"name": "x"}, {"name": "y"}],
        "words": ["p", "q"],
        "none": None,
        "flag": False,
        "count": 3,
        "object": {"k": [1, "é"]},
    }
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{input.question}}", "a < b & 'c'"),
        ("{{{input.question}}} {{&input.question}}", "a < b & 'c' a < b & 'c'"),
        ("{{#input.items}}{{name}};{{/input.items}}", "x;y;"),
        ("{{#input.words}}{{.}}{{/input.words}}", "pq"),
        ("{{^input.flag}}no{{/input.flag}}", "no"),
        ("{{#input.nosuch}}never{{/input.nosuch}}!", "!"),
        ("{{input.object}} {{input.count}} {{input.none}}", '{"k": [1, "é"]} 3 '),
        ("{{! a comment }}x", "x"),
        ("no marks { } }}", "no marks { } }}"),
        ("{{input.question.upper}}", ""),
        ("{{input.__class__}}", ""),
    ],
)
def test_a_template_gives_a_text(template: str, text: str) -> None:
    assert templates.render(template, VALUES).text == text


def test_what_a_value_says_is_no_template() -> None:
    made = templates.render("{{input}}", {"input": "{{secret}} {{#a}}"})
    assert made.text == "{{secret}} {{#a}}"


def test_what_is_missing_is_named_once() -> None:
    made = templates.render("{{a}}{{a}}{{#b}}{{c}}{{/b}}{{input.d}}", {"input": {}})
    assert made.missing == ("a", "input.d")
    assert templates.variables("{{a}} {{#b}}{{c}}{{/b}} {{{d}}}") == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    "template",
    [
        "{{> /etc/passwd}}",
        "{{=<% %>=}}",
        "{{#a}}",
        "{{/a}}",
        "{{#a}}{{/b}}",
        "{{#a}}" * 3000 + "{{/a}}" * 3000,
    ],
)
def test_what_is_no_template_is_refused(template: str) -> None:
    with pytest.raises(TemplateError):
        templates.render(template, {"a": {"a": 1}})


@pytest.mark.parametrize(
    ("template", "values"),
    [
        ("{{#a}}{{#a}}{{#a}}{{#a}}x{{/a}}{{/a}}{{/a}}{{/a}}", {"a": [1] * 1000}),
        ("{{#a}}" + "x" * 100_000 + "{{/a}}", {"a": [1] * 100_000}),
        ("{{#a}}{{b}}{{/a}}", {"a": [1] * 1000, "b": "y" * 1_000_000}),
    ],
)
def test_a_text_has_an_end(template: str, values: dict[str, Any]) -> None:
    with pytest.raises(TemplateError, match="give shorter lists"):
        templates.render(template, values)


@given(st.text(alphabet="{}#^/!>=&.ab \n", max_size=60), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab{}", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=8,
))  # fmt: skip
def test_any_template_gives_a_text_or_says_why(template: str, value: Any) -> None:
    try:
        assert isinstance(templates.render(template, {"a": value, "b": value}).text, str)
    except TemplateError:
        return
