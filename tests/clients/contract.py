"""The steps of the contract, taken by the Python client: what each gave, as plain values."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tracestore import Eval, dataset
from tracestore.client import Client
from tracestore.errors import TraceStoreError

FILE = Path(__file__).with_name("contract.json")
DOCUMENT: dict[str, Any] = json.loads(FILE.read_text())


def answer_sums(value: dict[str, str]) -> str:
    left, sign, *right = value["question"].split(" ")
    return str(int(left) + int(right[0])) if sign == "+" else "unknown"


def answer_all(_: Any, expected: Any, metadata: Any) -> Any:
    if metadata.get("fail"):
        raise RuntimeError("the model did not answer")
    return expected


def same(value: Any) -> Any:
    return value


def exact(output: Any, expected: Any) -> int:
    return int(output == expected)


def length(output: str) -> dict[str, Any]:
    return {"name": "length", "score": len(output) / 4, "metadata": {"characters": len(output)}}


def broken() -> float:
    raise RuntimeError("no score")


def silent() -> None:
    return None


TASKS: dict[str, Callable[..., Any]] = {f.__name__: f for f in (answer_sums, answer_all, same)}
SCORERS: dict[str, Callable[..., Any]] = {f.__name__: f for f in (exact, length, broken, silent)}


def take(url: str) -> list[Any]:
    """Returns what each step gave."""
    with Client(url) as client:
        given = []
        for step in DOCUMENT["steps"]:
            values = {name: value for name, value in step.items() if name != "do"}
            try:
                given.append(_taken(client, step["do"], values))
            except TraceStoreError as error:
                given.append({"error": str(error), "status": getattr(error, "status", None)})
    return given


def _taken(client: Client, verb: str, values: dict[str, Any]) -> Any:
    if verb == "insert":
        return client.insert(values.pop("table"), values.pop("rows"), **values)
    if verb == "sql":
        answer = client.sql(values["sql"], values.get("params"))
        return {"rows": answer.rows(), "columns": answer.columns}
    if verb == "eval":
        return _evaluated(client, values)
    if verb == "compare":
        return client.experiments.compare(*values["experiments"], project=values["project"])
    if verb == "experiments":
        return client.experiments.list()
    if verb.startswith("prompt"):
        return _prompted(client, verb.removeprefix("prompt "), values)
    if verb.startswith("dataset"):
        found = getattr(client.datasets, verb.removeprefix("dataset "))(
            values.pop("name"), *_first(values), **values
        )
        return list(found) if verb == "dataset rows" else found
    if verb == "tag":
        return client.tag(values.pop("span"), *values.pop("tags"), **values)
    return getattr(client, verb)(values.pop("span"), **values)


def _first(values: dict[str, Any]) -> list[Any]:
    """Takes out the value that stands without a name."""
    return [values.pop(name) for name in ("rows", "snapshot", "ids") if name in values]


def _prompted(client: Client, verb: str, values: dict[str, Any]) -> Any:
    prompts, slug = client.prompts, values.pop("slug")
    if verb == "versions":
        return list(prompts.versions(slug, **values))
    if verb in {"render", "run"}:
        given = values.pop("input")
        prompt = prompts.get(slug, **values)
        return prompt.render(given) if verb == "render" else prompt.run(given).output
    if verb == "label":
        prompt = prompts.label(slug, values["label"], values["version"], project=values["project"])
    elif verb == "get":
        prompt = prompts.get(slug, **values)
    else:
        prompt = getattr(prompts, verb)(slug, values.pop("body"), **values)
    return [prompt.slug, prompt.version, prompt.labels, prompt.body]


def _evaluated(client: Client, values: dict[str, Any]) -> Any:
    data = values["data"]
    result = Eval(
        values["project"],
        experiment=values["experiment"],
        data=data.get("rows") or dataset(data["dataset"], data.get("version")),
        task=TASKS[values["task"]],
        scores=[SCORERS[name] for name in values["scores"]],
        trials=values.get("trials", 1),
        metadata=values.get("metadata"),
        git_commit="abc",
        store=client,
        progress=False,
        summary=False,
    )
    cases = [
        [
            each.case.number,
            each.case.trial,
            each.output,
            each.error,
            each.scores,
            each.scorer_errors,
        ]
        for each in result.cases
    ]
    means = {
        name: [score.mean, score.base, score.difference] for name, score in result.scores.items()
    }
    ordered = sorted(cases, key=lambda case: (case[0], case[1]))
    return [result.experiment, result.base, means, ordered, len(result.failed)]
