"""Scorers that are documents: saved with the line that is refused, tried, and asked by name."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from data import processes
from tracestore.client import Client
from tracestore.server import Server

CODE = '''\
import re


def names_it(output, expected):
    """Tells whether the answer names what was expected."""
    print("looked at", output)
    return 1.0 if expected.lower() in re.findall(r"[a-z]+", output.lower()) else 0.0
'''
PYTHON = {"type": "python", "code": CODE, "function": "names_it"}
JUDGE = {
    "type": "judge",
    "prompt": "Question: {{input.question}}\nAnswer: {{output}}\nExpected: {{expected}}",
    "choices": {"right": 1.0, "near": 0.5, "wrong": 0.0},
    "provider": "stub",
    "model": "stub",
}
CASE = {"input": {"question": "Where?"}, "output": "In Bonn.", "expected": "Bonn"}


def call(server: Server, method: str, path: str, status: int = 200, **more: Any) -> Any:
    answer = httpx.request(method, f"{server.url}{path}", timeout=processes.HANG_S, **more)
    assert answer.status_code == status, answer.text
    return answer.json()


def save(server: Server, name: str, body: dict[str, Any], **more: Any) -> Any:
    return call(server, "POST", "/api/scorers", json={"name": name, "body": body}, **more)


def test_a_function_is_saved_and_scores_by_name(server: Server) -> None:
    saved = save(server, "names_it", PYTHON)
    assert (saved["version"], saved["project"]) == (1, "default")
    scored = call(server, "POST", "/api/scorers/names_it/score", json=CASE)
    assert (scored["version"], [each["score"] for each in scored["scores"]]) == (1, [1.0])
    wrong = {**CASE, "output": "In Berlin."}
    [score] = call(server, "POST", "/api/scorers/names_it/score", json=wrong)["scores"]
    assert (score["name"], score["score"]) == ("names_it", 0.0)


def test_a_new_version_counts_and_the_old_one_is_kept(server: Server) -> None:
    save(server, "names_it", PYTHON)
    half = {**PYTHON, "code": "def names_it(output):\n    return 0.5\n"}
    saved = call(server, "PUT", "/api/scorers/names_it", json={"version": 1, "body": half})
    assert saved["version"] == 2
    call(server, "PUT", "/api/scorers/names_it", 409, json={"version": 1, "body": half})
    [score] = call(server, "POST", "/api/scorers/names_it/score", json=CASE)["scores"]
    assert score["score"] == 0.5
    old = call(server, "GET", "/api/scorers/names_it?version=1")
    assert old["body"]["code"] == CODE
    versions = call(server, "GET", "/api/scorers/names_it/versions")
    assert [each["version"] for each in versions] == [2, 1]
    assert call(server, "DELETE", "/api/scorers/names_it?version=2") == {"name": "names_it"}
    call(server, "GET", "/api/scorers/names_it", 404)


REFUSED = [
    ("def f(output):\n    import os\n    return 1", 2, "cannot import 'os'"),
    ("def f(output:\n    return 1", 1, "cannot read the code"),
    ("x = 1\n\ndef f(output):\n    yield 1", 4, "does not take yield"),
    ("def f(output):\n    return 1\n\nclass A(Exception):\n    pass", 4, "does not take class inheritance"),
    ("def f(output, secret):\n    return 1", 1, "wants 'secret'"),
    ("def g(output):\n    return 1", None, "no function 'f' but g"),
    ("def f(output):\n    return 1\nraise ValueError('at the top')", 3, "at the top"),
    ("while True:\n    pass\ndef f():\n    return 1", None, "ran longer"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "line", "why"), REFUSED, ids=[each[2] for each in REFUSED])
def test_code_is_refused_with_its_line(
    server: Server, code: str, line: int | None, why: str
) -> None:
    problem = save(server, "f", {"type": "python", "code": code, "function": "f"}, status=422)
    assert problem["title"] == "CodeError"
    assert why in problem["detail"]
    assert [each["line"] for each in problem["errors"]] == [line]
    call(server, "GET", "/api/scorers/f", 404)


@pytest.mark.parametrize(
    "body",
    [
        {"type": "python", "code": "x" * 70_000, "function": "f"},
        {"type": "python", "code": "", "function": "f()"},
        {"type": "other"},
        {**JUDGE, "choices": {"a": 1.0}},
        {**JUDGE, "choices": {"a": 1.0, "b": 2.0}},
        {**JUDGE, "prompt": ""},
        {**JUDGE, "more": 1},
    ],
    ids=str,
)
def test_what_is_no_scorer_is_refused(server: Server, body: dict[str, Any]) -> None:
    save(server, "f", body, status=422)


def test_a_judge_is_refused_for_its_template_and_choices(server: Server) -> None:
    problem = save(server, "j", {**JUDGE, "prompt": "{{#a}}"}, status=400)
    assert "section a does not end" in problem["detail"]
    choices = {"Yes": 1.0, "yes ": 0.0}
    problem = save(server, "j", {**JUDGE, "choices": choices}, status=400)
    assert "differ in case" in problem["detail"]


@pytest.mark.parametrize(("output", "score"), [("Bonn", 1.0), ("Berlin", 0.0)])
def test_a_judge_chooses_with_a_reason_and_costs(server: Server, output: str, score: float) -> None:
    save(server, "judged", JUDGE)
    case = {**CASE, "output": output}
    [given] = call(server, "POST", "/api/scorers/judged/score", json=case)["scores"]
    assert (given["name"], given["score"]) == ("judged", score)
    assert given["rationale"].startswith("They")
    assert given["metadata"]["cost"] > 0
    assert given["metadata"]["usage"]["tokens"] > 10


def test_a_judges_provider_that_fails_is_told(server: Server) -> None:
    tested = {**CASE, "body": {**JUDGE, "model": "stub-401"}}
    tried = call(server, "POST", "/api/scorers/test", json=tested)
    assert tried["failure"]["kind"] == "provider"
    call(
        server, "POST", "/api/scorers/test", 404, json={**CASE, "body": {**JUDGE, "provider": "no"}}
    )


def test_a_test_run_tells_what_came_and_saves_nothing(server: Server) -> None:
    tried = call(server, "POST", "/api/scorers/test", json={**CASE, "body": PYTHON})
    assert tried["failure"] is None
    assert tried["printed"] == "looked at In Bonn.\n"
    assert [(each["name"], each["score"]) for each in tried["scores"]] == [("test", 1.0)]
    stored = [each["name"] for each in call(server, "GET", "/api/scorers") if each["version"]]
    assert stored == []


FAILING = [
    ("return 1 / 0", "error", 2),
    ("while True:\n        pass", "time", 1),
    ("return 'good'", "output", None),
    ("return {'score': 'x'}", "output", None),
    ("return [1] * 51", "output", None),
    ("return {1}", "output", 1),
]


@pytest.mark.parametrize(("body", "kind", "line"), FAILING, ids=[each[0] for each in FAILING])
def test_a_test_run_tells_why_it_failed(
    server: Server, body: str, kind: str, line: int | None
) -> None:
    code = {"type": "python", "code": f"def f():\n    {body}\n", "function": "f"}
    tested = {"body": code, "time_s": 0.3}
    failure = call(server, "POST", "/api/scorers/test", json=tested)["failure"]
    assert (failure["kind"], failure["line"]) == (kind, line), failure


RESULTS = [
    ("None", []),
    ("True", [("f", 1.0)]),
    ("3", [("f", 3.0)]),
    ("{'name': 'a', 'score': 0.5, 'metadata': {'n': 1}}", [("a", 0.5)]),
    ("{'score': None}", [("f", None)]),
    ("[0.25, {'name': 'b', 'score': 1}]", [("f", 0.25), ("b", 1.0)]),
]


@pytest.mark.parametrize(("value", "scores"), RESULTS, ids=[each[0] for each in RESULTS])
def test_what_a_function_returns_is_scores(
    server: Server, value: str, scores: list[tuple[str, float]]
) -> None:
    body = {"type": "python", "code": f"def f():\n    return {value}\n", "function": "f"}
    save(server, "f", body)
    given = call(server, "POST", "/api/scorers/f/score", json=CASE)["scores"]
    assert [(each["name"], each["score"]) for each in given] == scores


def test_built_in_scorers_have_names_that_are_taken(server: Server) -> None:
    listed = call(server, "GET", "/api/scorers")
    assert {"exact_match", "levenshtein"} <= {each["name"] for each in listed}
    save(server, "exact_match", PYTHON, status=400)
    [score] = call(
        server, "POST", "/api/scorers/exact_match/score", json={**CASE, "output": "Bonn"}
    )["scores"]
    assert score["score"] == 1.0


def test_a_scorer_is_its_projects_alone(server: Server) -> None:
    save(server, "names_it", PYTHON, params={"project": "shop"})
    call(server, "POST", "/api/scorers/names_it/score", 404, json=CASE)
    problem = call(
        server, "POST", "/api/scorers/names_it/score", 404, json=CASE, params={"project": "other"}
    )
    assert "project 'other'" in problem["detail"]


def test_the_server_works_on_while_hostile_scorers_run(server: Server, client: Client) -> None:
    endless = {
        "type": "python",
        "code": "def f():\n    while True:\n        pass\n",
        "function": "f",
    }
    hungry = {
        "type": "python",
        "code": "def f():\n    x = []\n    while True:\n        x.append('a' * 10**6)\n",
        "function": "f",
    }
    for body in (endless, hungry) * 4:
        failed = call(server, "POST", "/api/scorers/test", json={"body": body, "time_s": 0.2})
        assert failed["failure"]["kind"] in {"time", "memory"}
        client.insert("spans", [{"name": "between"}])
    assert client.sql("SELECT count(*) AS n FROM spans").rows() == [{"n": 8}]
    assert httpx.get(f"{server.url}/healthz").json() == {"status": "ok"}
