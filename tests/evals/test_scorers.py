"""Scorers that need no model, against values worked out by hand; and the judge against a server on loopback."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracestore import scorers

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text("ab1", max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("scorer", "output", "expected", "score"),
    [
        (scorers.exact_match, {"a": 1, "b": [2]}, {"b": [2.0], "a": 1.0}, 1),
        (scorers.exact_match, 1, True, 0),
        (scorers.exact_match, "1", 1, 0),
        (scorers.exact_match, None, None, 1),
        (scorers.levenshtein, "kitten", "sitting", 1 - 3 / 7),
        (scorers.levenshtein, "", "", 1),
        (scorers.levenshtein, None, "abc", 0),
        (scorers.numeric_closeness, "90", 100, 0.9),
        (scorers.numeric_closeness, -1, 1, 0),
        (scorers.numeric_closeness, 0, 0, 1),
        (scorers.numeric_closeness, "many", 3, 0),
        (scorers.numeric_closeness, True, 1, 0),
        (scorers.numeric_closeness, float("inf"), 1, 0),
        (scorers.numeric_within(relative=0.01), 100.5, 100, 1),
        (scorers.numeric_within(relative=0.01), 102, 100, 0),
        (scorers.numeric_within(absolute=2), "102", 100, 1),
        (scorers.list_overlap, ["a", "b", "b"], ["b", "b", "c"], 2 / 4),
        (scorers.list_overlap, '["a"]', [{"a": 1}, "a"], 1 / 2),
        (scorers.list_overlap, [], [], 1),
        (scorers.list_overlap, None, ["a"], 0),
        (scorers.json_diff, {"a": "kitten", "b": 1}, {"a": "kitten", "c": 1}, 1 / 3),
        (scorers.json_diff, '{"a": [1, 2]}', {"a": [1, 4, 3]}, (1 + 0.5 + 0) / 3),
        (scorers.json_diff, {}, {}, 1),
        (scorers.json_diff, {"a": True}, {"a": 1}, 0),
        (scorers.json_diff, "plain", "plain", 1),
    ],
)
def test_scores(scorer: scorers.Scorer, output: Any, expected: Any, score: float) -> None:
    assert scorer(output=output, expected=expected) == pytest.approx(score)


@given(JSON, JSON)
def test_scores_lie_between_0_and_1_are_1_of_equals_and_the_same_both_ways(a: Any, b: Any) -> None:
    for scorer in (
        scorers.exact_match,
        scorers.levenshtein,
        scorers.list_overlap,
        scorers.json_diff,
    ):
        assert 0 <= scorer(a, b) <= 1
        assert scorer(a, b) == pytest.approx(scorer(b, a))
        assert scorer(a, a) == pytest.approx(1)
    assert 0 <= scorers.numeric_closeness(a, b) <= 1


@pytest.mark.parametrize(
    ("output", "score"),
    [('{"a": 1}', 1), ([1], 1), ("[1", 0), ("12", 0), (None, 0), ("[" * 100_000, 0)],
)
def test_json_validity(output: Any, score: float) -> None:
    assert scorers.json_valid(output) == score


def test_a_schema_says_what_is_wrong() -> None:
    scorer = scorers.json_schema({"type": "object", "required": ["a"]})
    assert scorer('{"a": 1}') == {"score": 1.0, "metadata": {}}
    assert scorer({})["metadata"] == {"errors": ["'a' is a required property"]}
    assert scorer("{")["score"] == 0
    with pytest.raises(Exception, match="is not valid"):
        scorers.json_schema({"type": "nothing"})


def test_a_pattern_matches_anywhere_or_as_a_whole() -> None:
    assert scorers.regex_match(r"\d+")("a 12 b") == 1
    assert scorers.regex_match(r"\d+", whole=True)("a 12 b") == 0
    assert scorers.regex_match("K", flags=2)({"k": 1}) == 1


def test_a_function_gets_the_arguments_that_it_declares() -> None:
    def some(expected: Any, output: Any, weight: float = 2.0) -> float:
        return weight + len((expected, output))

    def every(**values: Any) -> float:
        return len(values)

    def other(output: Any, reference: Any) -> float:
        return float(output == reference)

    assert scorers.arguments_of(some) == ["expected", "output"]
    assert scorers.arguments_of(every) == list(scorers.ARGUMENTS)
    with pytest.raises(scorers.ScorerError, match="'reference'"):
        scorers.arguments_of(other)
    assert scorers.name_of(functools.partial(some, weight=1)) == "some"
    assert scorers.name_of(scorers.regex_match("x")) == "regex_match"


# --- the judge --------------------------------------------------------------------------------------


class Endpoint(BaseHTTPRequestHandler):
    """A server that answers as told, and remembers what it was asked."""

    answers: ClassVar[list[tuple[int, Any]]] = []
    asked: ClassVar[list[tuple[str, str | None, dict[str, Any]]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, self.headers.get("Authorization"), body))
        status, answer = self.answers.pop(0)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    Endpoint.answers.clear()
    Endpoint.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


def said(text: str) -> tuple[int, Any]:
    return 200, {"choices": [{"message": {"content": text}}], "usage": {"total_tokens": 7}}


def judged(url: str, **options: Any) -> Any:
    judge = scorers.llm_judge(url, model="m", criteria="Is it right?", name="right", **options)
    return judge(input={"q": 1}, output="{braces}", expected=None, metadata=None)


def test_a_judge_asks_and_reads_the_choice(endpoint: str) -> None:
    Endpoint.answers.append(said('Well: {"reason": "it is", "choice": " Good "}'))
    told = judged(endpoint, choices={"good": 1, "fair": 0.5}, api_key="secret")
    assert (told["name"], told["score"]) == ("right", 1)
    assert told["metadata"] == {"choice": "good", "reason": "it is", "usage": {"total_tokens": 7}}
    ((path, key, body),) = Endpoint.asked
    assert (path, key, body["model"]) == ("/v1/chat/completions", "Bearer secret", "m")
    text = body["messages"][0]["content"]
    assert '{"q": 1}' in text
    assert "{braces}" in text
    assert "good, fair" in text


def test_a_judge_that_is_busy_is_asked_again(endpoint: str) -> None:
    Endpoint.answers += [(503, {}), (429, {}), said('{"choice": "no"}')]
    assert judged(endpoint)["score"] == 0
    assert len(Endpoint.asked) == 3


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (said("I cannot say"), "no JSON object"),
        (said('{"choice": "perhaps"}'), "unexpected choice 'perhaps'; want yes, no"),
        ((200, {"choices": []}), "no message"),
        ((200, b"not json"), "cannot ask judge"),
        ((200, [1]), "no object"),
        ((400, {"error": "bad"}), "cannot ask judge"),
    ],
)
def test_an_answer_that_is_no_choice_is_an_error(endpoint: str, answer: Any, message: str) -> None:
    Endpoint.answers.append(answer)
    with pytest.raises(scorers.ScorerError, match=message):
        judged(endpoint)


def test_an_endpoint_out_of_reach_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorers, "MAX_JUDGE_TRIES", 1)
    with pytest.raises(scorers.ScorerError, match=r"cannot ask judge at http://127\.0\.0\.1:9"):
        judged("http://127.0.0.1:9")
