"""Scorers: what an output is worth, as a number from 0 to 1. All but the judge need no model.

A scorer is any function, sync or async, that declares some of `input`, `output`, `expected` and `metadata`. It returns
a number, `{"name", "score", "metadata"}`, an object with these attributes, a list of such, or None where it has nothing
to say. Its name is the function's. Classes whose objects are such functions, as those of autoevals, serve as well.
"""

from __future__ import annotations

import inspect
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import httpx
import jsonschema
import tenacity
from rapidfuzz.distance import Levenshtein

from tracestore.errors import TraceStoreError

Scorer = Callable[..., Any]

ARGUMENTS: Final = ("input", "output", "expected", "metadata")
"""What a scorer may declare."""

MAX_JUDGE_TRIES: Final = 4
"""Times a judge's endpoint is asked where it is busy or out of reach."""

_BUSY: Final = frozenset({408, 429, 500, 502, 503, 504})


class ScorerError(TraceStoreError, ValueError):
    """A scorer that cannot be called, or that gave what is no score."""


def arguments_of(function: Callable[..., Any], known: tuple[str, ...] = ARGUMENTS) -> list[str]:
    """Returns which of the known arguments a function declares, all where it takes any keyword.

    Raises:
        ScorerError: where it declares another one that must be given.
    """
    arguments: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            return list(known)
        if parameter.name in known and parameter.kind is not parameter.POSITIONAL_ONLY:
            arguments.append(parameter.name)
        elif (
            parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL
        ):
            raise ScorerError(
                f"cannot call {name_of(function)}: it wants {parameter.name!r}; "
                f"declare some of {', '.join(known)}"
            )
    return arguments


def name_of(function: Callable[..., Any]) -> str:
    """Returns a scorer's name: its function's, or its class's."""
    inner: Any = getattr(function, "func", function)  # a functools.partial
    own = getattr(inner, "__name__", None)
    if own is None and hasattr(type(inner), "_name"):
        own = inner._name()  # noqa: SLF001 - what an autoevals scorer calls itself
    return str(own or type(inner).__name__)


def named(scorers: Iterable[Scorer]) -> list[tuple[str, Scorer]]:
    """Returns scorers by names of their own: lambdas are numbered by place, repeated names after the first."""
    result: list[tuple[str, Scorer]] = []
    taken: set[str] = set()
    for place, given in enumerate(scorers, 1):
        made: Any = given() if inspect.isclass(given) else given
        scorer: Scorer = made
        name = name_of(scorer)
        if name == "<lambda>":
            name = f"scorer_{place}"
        numbers = itertools.count(2)
        own = name
        while own in taken:
            own = f"{name}_{next(numbers)}"
        taken.add(own)
        result.append((own, scorer))
    return result


# --- texts and values -------------------------------------------------------------------------------


def exact_match(output: Any, expected: Any) -> float:
    """Returns 1 where the output is what was expected; 1 and 1.0 are the same, 1 and true are not."""
    return float(_canonical(output) == _canonical(expected))


def levenshtein(output: Any, expected: Any) -> float:
    """Returns how alike two texts are: 1 less the share of characters to change. Values count as their JSON."""
    return float(Levenshtein.normalized_similarity(_text(output), _text(expected)))


def numeric_closeness(output: Any, expected: Any) -> float:
    """Returns 1 less the difference of two numbers as a share of the larger; 0 where one is no number."""
    first, second = _number(output), _number(expected)
    if first is None or second is None:
        return 0.0
    largest = max(abs(first), abs(second))
    if first == second or largest == 0:
        return 1.0
    return max(0.0, 1.0 - abs(first - second) / largest) if math.isfinite(largest) else 0.0


def numeric_within(*, relative: float = 0.0, absolute: float = 0.0) -> Scorer:
    """Returns a scorer that is 1 where two numbers differ by no more than a share or an amount."""

    def numeric_within(output: Any, expected: Any) -> float:
        first, second = _number(output), _number(expected)
        if first is None or second is None:
            return 0.0
        return float(math.isclose(first, second, rel_tol=relative, abs_tol=absolute))

    return numeric_within


def list_overlap(output: Any, expected: Any) -> float:
    """Returns the share of items that two lists have in common, repeated ones counted, in any order."""
    first, second = _items(output), _items(expected)
    union = sum((first | second).values())
    return sum((first & second).values()) / union if union else 1.0


def regex_match(pattern: str, *, whole: bool = False, flags: int = 0) -> Scorer:
    """Returns a scorer that is 1 where a pattern matches the output, anywhere in it or as a whole."""
    compiled = re.compile(pattern, flags)

    def regex_match(output: Any) -> float:
        text = _text(output)
        return float((compiled.fullmatch(text) if whole else compiled.search(text)) is not None)

    return regex_match


# --- JSON -------------------------------------------------------------------------------------------


def json_valid(output: Any) -> float:
    """Returns 1 where the output is JSON text of an object or list, or such a value itself."""
    return float(isinstance(_parsed(output), dict | list))


def json_schema(schema: Mapping[str, Any]) -> Scorer:
    """Returns a scorer that is 1 where the output is JSON that a schema allows; else it says what is wrong."""
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    validator = kind(schema)

    def json_schema(output: Any) -> dict[str, Any]:
        value = _parsed(output)
        if value is _NOT_JSON:
            return {"score": 0.0, "metadata": {"errors": ["it is not JSON"]}}
        errors = [error.message for error in validator.iter_errors(value)]
        return {"score": float(not errors), "metadata": {"errors": errors[:10]} if errors else {}}

    return json_schema


def json_diff(output: Any, expected: Any) -> float:
    """Returns how alike two JSON values are: the mean over keys and items, texts and numbers by their closeness."""
    first, second = _parsed(output), _parsed(expected)
    first = output if first is _NOT_JSON else first
    second = expected if second is _NOT_JSON else second
    return _alike(first, second)


def _alike(first: Any, second: Any) -> float:
    if isinstance(first, dict) and isinstance(second, dict):
        keys = first.keys() | second.keys()
        both = first.keys() & second.keys()
        return sum(_alike(first[key], second[key]) for key in both) / len(keys) if keys else 1.0
    if isinstance(first, list) and isinstance(second, list):
        longest = max(len(first), len(second))
        pairs = zip(first, second, strict=False)
        return sum(_alike(a, b) for a, b in pairs) / longest if longest else 1.0
    if isinstance(first, str) and isinstance(second, str):
        return levenshtein(first, second)
    numbers = not isinstance(first, bool) and not isinstance(second, bool)
    if numbers and isinstance(first, int | float) and isinstance(second, int | float):
        return numeric_closeness(first, second)
    return exact_match(first, second)


_NOT_JSON: Final = object()


def _parsed(value: Any) -> Any:
    """Returns the value that a JSON text spells, other values as they are."""
    if not isinstance(value, str | bytes):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _canonical(value: Any) -> str:
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=False, default=str)


def _plain(value: Any) -> Any:
    """Returns a value whose whole doubles are integers: JSON has one kind of number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else _canonical(value)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return None if math.isnan(number) else number


def _items(value: Any) -> Counter[str]:
    parsed = _parsed(value)
    parsed = value if parsed is _NOT_JSON else parsed
    items = parsed if isinstance(parsed, list | tuple | set) else [parsed]
    return Counter(_canonical(item) for item in items if item is not None)


# --- a model as judge -------------------------------------------------------------------------------

JUDGE_PROMPT: Final = """\
You grade the answer of a program.

Input:
{input}

Answer:
{output}

Reference:
{expected}

{criteria}

Reply with one JSON object: {{"reason": "<one sentence>", "choice": "<one of {choices}>"}}"""


def llm_judge(
    url: str,
    *,
    model: str,
    criteria: str,
    choices: Mapping[str, float] | None = None,
    name: str = "llm_judge",
    prompt: str = JUDGE_PROMPT,
    api_key: str | None = None,
    timeout_s: float = 60.0,
) -> Scorer:
    """Returns a scorer that asks a model by an endpoint that speaks OpenAI's chat completions.

    Args:
        url: the endpoint's base, e.g. `http://127.0.0.1:8000/v1`.
        model: the model's name.
        criteria: what to judge by, in words.
        choices: score by what the model may choose; default `yes` 1 and `no` 0.
        name: the scorer's name.
        prompt: a template with `{input}`, `{output}`, `{expected}`, `{metadata}`, `{criteria}`, `{choices}`.
        api_key: sent as a bearer token where it is given.
        timeout_s: seconds that one request may take.

    The scorer raises ScorerError where the endpoint does not answer, or answers with no choice of these.
    """
    known = {label.lower(): score for label, score in (choices or {"yes": 1.0, "no": 0.0}).items()}
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    address = url.rstrip("/") + "/chat/completions"

    def judge(input: Any, output: Any, expected: Any, metadata: Any) -> dict[str, Any]:  # noqa: A002 - a scorer's argument
        text = prompt.format(
            input=_text(input),
            output=_text(output),
            expected=_text(expected),
            metadata=_text(metadata),
            criteria=criteria,
            choices=", ".join(known),
        )
        body = {
            "model": model,
            "temperature": 0,
            "messages": [{"role": "user", "content": text}],
        }
        answer = _asked(address, headers, body, timeout_s)
        choice, reason = _choice(name, answer, known)
        return {
            "name": name,
            "score": known[choice],
            "metadata": {"choice": choice, "reason": reason, "usage": answer.get("usage")},
        }

    judge.__name__ = name
    return judge


class _BusyError(Exception):
    """An endpoint that may answer later."""


def _asked(
    address: str, headers: Mapping[str, str], body: Mapping[str, Any], timeout_s: float
) -> dict[str, Any]:
    @tenacity.retry(
        retry=tenacity.retry_if_exception_type((_BusyError, httpx.TransportError)),
        stop=tenacity.stop_after_attempt(MAX_JUDGE_TRIES),
        wait=tenacity.wait_random_exponential(multiplier=0.2, max=10),
        reraise=True,
    )
    def ask() -> httpx.Response:
        response = httpx.post(address, headers=dict(headers), json=dict(body), timeout=timeout_s)
        if response.status_code in _BUSY:
            raise _BusyError(f"status {response.status_code}")
        return response

    try:
        response = ask()
        response.raise_for_status()
        answer = response.json()
    except (_BusyError, httpx.HTTPError, ValueError) as error:
        raise ScorerError(f"cannot ask judge at {address}: {error}") from error
    if not isinstance(answer, dict):
        raise ScorerError(f"cannot ask judge at {address}: its answer is no object")
    return answer


def _choice(name: str, answer: Mapping[str, Any], known: Mapping[str, float]) -> tuple[str, str]:
    """Returns the choice and reason in an answer; the object may stand among other words."""
    try:
        text = str(answer["choices"][0]["message"]["content"])
    except (KeyError, IndexError, TypeError):
        raise ScorerError(f"cannot read {name}'s answer: it has no message") from None
    start, stop = text.find("{"), text.rfind("}") + 1
    try:
        said = json.loads(text[start:stop])
        choice = str(said["choice"]).strip().lower()
    except (ValueError, KeyError, TypeError):
        raise ScorerError(
            f"cannot read {name}'s answer: no JSON object in {text[:200]!r}"
        ) from None
    if choice not in known:
        raise ScorerError(
            f"cannot read {name}'s answer: unexpected choice {choice!r}; want {', '.join(known)}"
        )
    return choice, str(said.get("reason", ""))
