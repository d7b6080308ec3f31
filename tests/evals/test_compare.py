"""Experiments side by side: in SQL, and in sum."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tracestore
from tracestore import Store
from tracestore.client import Client, ClientError
from tracestore.errors import ExperimentError, QueryError
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing

_NUMBER = iter(range(1, 1_000_000))


def case(
    experiment: str,
    question: str,
    scores: dict[str, Any] | None,
    *,
    seconds: float = 1.0,
    **more: Any,
) -> list[dict[str, Any]]:
    """Returns a case's spans: its root, a model call that used tokens, and a scorer that used others."""
    number = next(_NUMBER)
    trace_id = f"{number:032x}"
    root = {
        "trace_id": trace_id,
        "span_id": f"{number:016x}",
        "name": "case",
        "experiment": experiment,
        "input": {"q": question},
        "duration_ns": int(seconds * 1e9),
        **({"scores": scores} if scores is not None else {}),
        **more,
    }
    child = {"trace_id": trace_id, "parent_span_id": root["span_id"], "experiment": experiment}
    call = {
        **child,
        "span_id": f"{number + 2**40:016x}",
        "type": "llm",
        "metadata": {"model": "m" + question[-1]},
        "metrics": {"prompt_tokens": 10, "completion_tokens": 5, "estimated_cost": 0.25},
    }
    judge = {
        **child,
        "span_id": f"{number + 2**41:016x}",
        "attributes": {"tracestore": {"purpose": "scorer"}},
        "metrics": {"tokens": 10_000, "estimated_cost": 99.0},
    }
    # What a scorer asks a model for is the scorer's, however deep below it.
    asked = {**child, "span_id": f"{number + 2**42:016x}", "parent_span_id": judge["span_id"]}
    model = {
        **child,
        "span_id": f"{number + 2**43:016x}",
        "parent_span_id": asked["span_id"],
        "type": "llm",
        "metrics": {"prompt_tokens": 7_000, "completion_tokens": 1, "estimated_cost": 9.0},
    }
    return [root, call, judge, asked, model]


def rows() -> list[dict[str, Any]]:
    """Returns three experiments of three cases."""
    return [
        *case("base", "q1", {"exact": 1, "near": 0.5}, metadata={"kind": "easy", "id": 1}),
        *case("base", "q2", {"exact": 0, "near": 0.5}, metadata={"kind": "hard", "id": 2}),
        *case("base", "gone", {"exact": 1}, metadata={"kind": "hard", "id": 3}),
        # Two trials of one case count by their mean.
        *case("next", "q1", {"exact": 0, "near": 0.75}, metadata={"kind": "easy", "id": 1}),
        *case("next", "q1", {"exact": True, "near": 0.25}, metadata={"kind": "easy", "id": 1}),
        *case("next", "q2", {"exact": 1, "near": 0.5}, seconds=3, metadata={"kind": "hard", "id": 2}),
        *case("next", "fresh", {"exact": 1}, metadata={"kind": "hard", "id": 4}, status_code="ERROR"),
        *case("third", "other words", {"exact": 1}, metadata={"kind": "easy", "id": 1}),
        *case("bare", "q1", None),
    ]  # fmt: skip


@pytest.fixture(params=["in memory", "in segments"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with tracestore.open(tmp_path / "store", background=False) as opened:
        opened.insert("spans", rows())
        if request.param == "in segments":
            opened.flush()
        yield opened


def by(store: Store, sql: str) -> dict[tuple[str, str], dict[str, Any]]:
    found = store.sql(sql).rows()
    return {(row["case_key"], row["score"]): row for row in found}


def test_a_row_a_case_and_score_says_what_became_of_it(store: Store) -> None:
    found = store.sql(
        "SELECT s.input.q AS q, c.* FROM compare('base', 'next') c "
        "JOIN (SELECT DISTINCT ON (input_key) input_key, input FROM spans WHERE is_root) s USING (input_key)"
    ).rows()
    told = {
        (row["q"], row["score"]): (row["before"], row["after"], row["difference"], row["status"])
        for row in found
    }
    assert told == {
        ("q1", "exact"): (1.0, 0.5, -0.5, "regressed"),
        ("q1", "near"): (0.5, 0.5, 0.0, "same"),
        ("q2", "exact"): (0.0, 1.0, 1.0, "improved"),
        ("q2", "near"): (0.5, 0.5, 0.0, "same"),
        ("gone", "exact"): (1.0, None, None, "missing"),
        ("fresh", "exact"): (None, 1.0, None, "new"),
    }
    trials = {
        (row["q"], row["score"]): (row["trials_before"], row["trials_after"]) for row in found
    }
    assert trials["q1", "exact"] == (1, 2)


def test_cases_may_meet_on_a_path_of_their_own(store: Store) -> None:
    found = by(store, "SELECT * FROM compare('base', 'third', key := 'metadata.id')")
    assert (found["1", "exact"]["before"], found["1", "exact"]["after"]) == (1.0, 1.0)
    assert found["2", "exact"]["status"] == "missing"
    both = by(store, "SELECT * FROM compare('base', 'third')")
    assert {row["status"] for row in both.values()} == {"new", "missing"}


def test_several_are_compared_with_the_first(store: Store) -> None:
    found = store.sql(
        "SELECT experiment, count(*) AS n FROM compare('base', 'next', 'third') GROUP BY 1 ORDER BY 1"
    ).rows()
    assert found == [{"experiment": "next", "n": 6}, {"experiment": "third", "n": 6}]


@pytest.mark.parametrize(
    "call",
    [
        "compare('a')",
        "compare('a', 'a')",
        "compare('a', b)",
        "compare('a', 'b', key := 5)",
        "compare('a', 'b', order := 'x')",
        "compare('a', 'b', key := 'sum(x)')",
        "compare('a', 'b', key := 'x, y')",
        "compare('1','2','3','4','5','6','7','8','9')",
    ],
)
def test_what_is_asked_wrongly_is_told_what_to_ask(store: Store, call: str) -> None:
    with pytest.raises(QueryError, match=r"compare"):
        store.sql(f"SELECT * FROM {call}")


def test_the_summary_counts_cases_scores_and_what_they_cost(store: Store) -> None:
    told = store.experiments.compare("base", "next")
    base, after = told["experiments"]
    assert (base["cases"], base["trials"], base["errors"]) == (3, 3, 0)
    assert (after["cases"], after["trials"], after["errors"]) == (3, 4, 1)
    assert base["scores"] == {"exact": pytest.approx(2 / 3), "near": 0.5}
    assert after["scores"] == {"exact": pytest.approx(2.5 / 3), "near": 0.5}
    assert (after["new_cases"], after["missing_cases"]) == (1, 1)
    assert after["against_baseline"] == {
        "exact": {"difference": 0.25, "improvements": 1, "regressions": 1, "unchanged": 0},
        "near": {"difference": 0.0, "improvements": 0, "regressions": 0, "unchanged": 2},
    }
    # What scorers used is no part of the task.
    assert after["metrics"]["tokens"] == {"sum": 60.0, "mean": 15.0}
    assert after["metrics"]["cost"] == {"sum": 1.0, "mean": 0.25}
    assert after["metrics"]["duration"] == {"sum": 6.0, "mean": 1.5}
    assert "against_baseline" not in base


def test_the_cases_that_fell_most_come_first(store: Store) -> None:
    told = store.experiments.compare("base", "next", cases=2)
    first, _ = told["cases"]
    assert first["experiments"]["next"]["difference"] == {"exact": -0.5, "near": 0.0}
    assert first["experiments"]["next"]["trials"] == 2
    (row,) = store.sql(
        "SELECT input.q AS q FROM spans WHERE span_id = $id",
        {"id": first["experiments"]["base"]["span_id"]},
    ).rows()
    assert row == {"q": "q1"}


@pytest.mark.parametrize(
    ("path", "groups"),
    [("metadata.kind", ["easy", "hard"]), ("metadata.model", ["m1", "m2", "me", "mh"])],
)
def test_a_path_of_the_case_or_of_its_spans_parts_the_summary(
    store: Store, path: str, groups: list[str]
) -> None:
    told = store.experiments.compare("base", "next", group_by=path)
    assert [each["group"] for each in told["groups"]] == groups
    base, after = told["groups"][0]["experiments"]
    assert (base["cases"], after["cases"], after["trials"]) == (1, 1, 2)
    assert after["against_baseline"]["exact"]["regressions"] == 1


def test_an_experiment_without_cases_or_scores_is_told(store: Store) -> None:
    with pytest.raises(ExperimentError, match="'nothing': it has no root span"):
        store.experiments.compare("base", "nothing")
    with pytest.raises(QueryError, match="no path"):
        store.experiments.compare("base", "next", group_by="count(*)")
    told = store.experiments.compare("bare", "base")
    assert told["experiments"][0]["scores"] == {}
    assert told["experiments"][1]["against_baseline"] == {}


def test_the_experiments_table_shows_records_and_spans(store: Store) -> None:
    store.experiments.create(
        "planned", metadata={"model": "m", "n": [1]}, dataset="d", dataset_version=3
    )
    store.experiments.create("next", base="base", git_commit="abc")
    found = {
        row["name"]: row for row in store.sql("SELECT *, metadata.model AS model FROM experiments").rows()
    }  # fmt: skip
    assert (found["planned"]["span_count"], found["planned"]["model"]) == (0, "m")
    assert found["planned"]["metadata"] == {"model": "m", "n": [1]}
    assert (found["next"]["span_count"], found["next"]["case_count"]) == (20, 4)
    assert (found["next"]["base"], found["next"]["git_commit"]) == ("base", "abc")
    assert (found["base"]["created"], found["base"]["case_count"]) == (None, 3)
    assert store.sql("SELECT count(*) AS n FROM experiments", projects=["other"]).rows() == [
        {"n": 0}
    ]


def test_it_is_the_same_over_http(tmp_path: Path) -> None:
    with tracestore.open(tmp_path / "store") as store:
        store.insert("spans", rows(), project="mine")
        wanted = store.experiments.compare("base", "next", group_by="metadata.kind")
    ring = KeyRing(tmp_path / "store")
    _, mine = ring.create("mine", ["read", "ingest"], ["mine"])
    _, reads = ring.create("reads", ["read"], ["mine"])
    _, theirs = ring.create("theirs", ["read"], ["theirs"])
    ring.close()
    settings = ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1, require_keys=True)
    with Server(settings) as server:
        with Client(server.url, mine) as client:
            told = client.experiments.compare("base", "next", group_by="metadata.kind")
            assert (
                told["experiments"][1]["against_baseline"]
                == (wanted["experiments"][1]["against_baseline"])
            )
            assert [each["group"] for each in told["groups"]] == ["easy", "hard"]
            created = client.experiments.create("next", metadata={"a": 1}, base="base")
            assert (created["project"], created["base"]) == ("mine", "base")
            assert [each["name"] for each in client.experiments.list()] == ["next"]
            with pytest.raises(ClientError, match="no root span"):
                client.experiments.compare("base", "nothing")
            with pytest.raises(ClientError, match="not bound to it"):
                client.experiments.create("x", project="theirs")
        with Client(server.url, reads) as client:
            assert client.experiments.compare("base", "next")["baseline"] == "base"
            with pytest.raises(ClientError, match="no scope 'ingest'"):
                client.experiments.create("x")
        with Client(server.url, theirs) as client:
            assert client.experiments.list() == []
            with pytest.raises(ClientError, match="no root span"):
                client.experiments.compare("base", "next")


def test_a_trial_counts_in_the_group_of_its_own_value(store: Store) -> None:
    for kind, score in (("easy", 1), ("hard", 0)):
        store.insert("spans", case("next", "q1", {"exact": score}, metadata={"kind": kind}))
    groups = store.experiments.compare("base", "next", group_by="metadata.kind")["groups"]
    trials = {each["group"]: each["experiments"][1]["trials"] for each in groups}
    assert trials == {"easy": 3, "hard": 3}


def test_names_that_are_reserved_at_the_same_time_are_all_different(store: Store) -> None:
    names: list[str] = []

    def reserve() -> None:
        names.append(store.experiments.create("next", unique=True).name)

    threads = [threading.Thread(target=reserve) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Spans have the name itself, though there is no record of it.
    assert sorted(names) == [f"next-{number}" for number in range(2, 10)]
    assert store.experiments.create("next").name == "next"


ODD_SCORES: list[Any] = [
    {"plain": 1},
    {"plain": 0.5},
    {"plain": True},
    {"plain": False},
    {"plain": "good"},
    {"plain": "0.5"},
    {"plain": None},
    {"plain": [1, 2]},
    {"plain": {"nested": 0.25}},
    {"plain.nested": 0.75},
    {"plain": {"nested": 1}, "plain.nested": 0},
    {"": 0.5},
    {"a": {"": 1}},
    {"a": {"b": {"c": 2**60}}},
    {"PLAIN": 1, "plain": 0},
    {"it's": 1, 'a"b': 0.5},
    {"plain": 10**400},
    {},
    None,
    5,
    "text",
]


def told_by_rows(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Returns what rows of a comparison say of each score that both experiments have."""
    told: dict[str, dict[str, Any]] = {}
    for row in found:
        if row["difference"] is None:
            continue
        each = told.setdefault(
            row["score"], {"difference": [], "improvements": 0, "regressions": 0, "unchanged": 0}
        )
        each["difference"].append(row["difference"])
        name = {"improved": "improvements", "regressed": "regressions", "same": "unchanged"}
        each[name[row["status"]]] += 1
    for each in told.values():
        each["difference"] = pytest.approx(sum(each["difference"]) / len(each["difference"]))
    return told


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_rows_and_summary_agree_on_every_score(seed: int, flushed: bool, tmp_path: Path) -> None:
    draw = random.Random(seed)
    with tracestore.open(tmp_path / "store", background=False) as store:
        for run in ("one", "two", "elsewhere"):
            for question in range(12):
                for _ in range(draw.choice((1, 1, 2, 3))):
                    scores = draw.choice(ODD_SCORES)
                    store.insert("spans", case(run, f"q{question}", scores))
            if flushed:
                store.flush()
        rows = store.sql("SELECT * FROM compare('one', 'two')").rows()
        told = store.experiments.compare("one", "two")
    after = told["experiments"][1]
    assert after["against_baseline"] == told_by_rows(rows)
    assert after["scores"].keys() == {row["score"] for row in rows if row["after"] is not None}
    for name, mean in after["scores"].items():
        values = [row["after"] for row in rows if row["score"] == name and row["after"] is not None]
        assert mean == pytest.approx(sum(values) / len(values))
    listed = {
        (each["key"], score): value
        for each in told["cases"]
        for score, value in each["experiments"].get("two", {}).get("difference", {}).items()
    }
    assert listed == {
        (row["case_key"], row["score"]): row["difference"]
        for row in rows
        if row["difference"] is not None
    }


def test_numbers_under_one_name_are_one_score_and_nothing_else_is_a_score(tmp_path: Path) -> None:
    with tracestore.open(tmp_path / "store", background=False) as store:
        store.insert("spans", case("a", "q", {"x": {"y": 1}, "t": "0.5", "l": [1], "n": 10**400}))
        store.insert("spans", case("b", "q", {"x": {"y": 1}, "x.y": 0, "": True, "t": 0.5}))
        rows = store.sql(
            "SELECT score, before, after, status FROM compare('a', 'b') ORDER BY 1"
        ).rows()
        trials = store.sql(
            "SELECT run, score, value FROM trial_scores('a', 'b') ORDER BY ALL"
        ).rows()
    assert [tuple(row.values()) for row in rows] == [
        ("", None, 1.0, "new"),
        ("t", None, 0.5, "new"),
        ("x.y", 1.0, 0.5, "regressed"),
    ]
    assert [tuple(row.values()) for row in trials] == [
        *[("a", "x.y", 1.0), ("b", "", 1.0), ("b", "t", 0.5), ("b", "x.y", 0.0), ("b", "x.y", 1.0)]
    ]


@pytest.mark.parametrize("values", [[{"a": 1}, {"b": 2}], [[1], [2, 3]], [1, "x"], [{"a": 1}, [1]]])
def test_a_key_may_be_any_value(values: list[Any], tmp_path: Path) -> None:
    with tracestore.open(tmp_path / "store", background=False) as store:
        for run in ("a", "b"):
            for number, value in enumerate(values):
                store.insert("spans", case(run, run, {"s": number}, metadata={"key": value}))
        rows = store.sql("SELECT * FROM compare('a', 'b', key := 'metadata.key')").rows()
        told = store.experiments.compare("a", "b", key="metadata.key")
    assert [row["status"] for row in rows] == ["same", "same"]
    assert {row["case_key"] for row in rows} == {each["key"] for each in told["cases"]}
    assert (told["experiments"][1]["new_cases"], told["experiments"][1]["missing_cases"]) == (0, 0)


def test_inputs_that_spell_a_number_otherwise_are_one_case(tmp_path: Path) -> None:
    with tracestore.open(tmp_path / "store", background=False) as store:
        store.insert("spans", case("a", "q", {"s": 1}, input={"n": 1}))
        store.insert("spans", case("b", "q", {"s": 0}, input={"n": 1.0}))
        (row,) = store.sql("SELECT status FROM compare('a', 'b')").rows()
    assert row == {"status": "regressed"}


def test_a_listed_case_shows_what_was_asked_and_answered(store: Store) -> None:
    with_contents = [
        case("x", "q1", {"s": 1}, expected="right", output={"said": "yes"}),
        case("y", "q1", {"s": 0}, expected="right", output={"said": "no"}),
        case("y", "q1", {"s": 0}, expected="right", output={"said": "again"}),
    ]
    for spans in with_contents:
        store.insert("spans", spans)
    (found,) = store.experiments.compare("x", "y")["cases"]
    assert (found["input"], found["expected"]) == ({"q": "q1"}, "right")
    runs = found["experiments"]
    assert (runs["x"]["output"], runs["y"]["output"]["said"] in {"no", "again"}) == (
        {"said": "yes"},
        True,
    )
    assert sorted(runs["y"]["trace_ids"]) == sorted(
        each[0]["trace_id"] for each in with_contents[1:]
    )
    rows = store.sql("SELECT trace_before, trace_after FROM compare('x', 'y')").rows()
    assert rows == [{"trace_before": runs["x"]["trace_id"], "trace_after": runs["y"]["trace_id"]}]
    (bare,) = store.experiments.compare("x", "y", contents=False)["cases"]
    assert "input" not in bare


def test_a_trace_has_the_fields_of_its_own_root(store: Store) -> None:
    root = {"trace_id": "e" * 32, "span_id": "1" * 16, "name": "root", "start_ns": 2_000_000_000}
    child = {
        **root,
        "span_id": "2" * 16,
        "parent_span_id": "1" * 16,
        "name": "child",
        "start_ns": 1_000_000_000,
        "experiment": "other",
        "type": "llm",
        "resource": {"service.name": "elsewhere"},
    }
    store.insert("spans", [child])
    sql = f"SELECT name, experiment, type, service FROM traces WHERE trace_id = '{'e' * 32}'"
    (before,) = store.sql(sql).rows()
    store.insert("spans", [root])
    (after,) = store.sql(sql).rows()
    assert (before["name"], before["experiment"], before["type"]) == ("child", "other", "llm")
    assert after == {"name": "root", "experiment": None, "type": None, "service": None}
