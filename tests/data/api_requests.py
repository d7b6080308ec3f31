"""Requests that the API's description allows, drawn from what a test gives, and what is seen of their answers."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

# What differs between any two answers: ids, moments, how long it took.
_VARYING = re.compile(
    r'[0-9A-HJKMNP-TV-Z]{26}|"(?:planning_ms|created_ns|updated_ns|revoked_ns|at_ns|created_at|last_ns)": ?[-\d.e]+'
    r'|[0-9a-f]{16}-[0-9a-f]+|"key_id": ?"[0-9a-f]{12}"|ts_[0-9a-f]{12}_[-\w]+'
)


@dataclass(frozen=True, slots=True)
class Pool:
    """What requests are made of.

    Attributes:
        values: for a parameter or a field of a body by its name.
        texts: for the others.
        rows: bodies of rows.
    """

    values: Mapping[str, Sequence[Any]]
    texts: Sequence[str]
    rows: Sequence[bytes]

    def request(
        self, path: str, operation: dict[str, Any], document: dict[str, Any], rng: random.Random
    ) -> tuple[str, dict[str, Any]]:
        """Returns a request that a route's description allows: where it goes and what it holds."""
        request: dict[str, Any] = {"params": {}, "headers": {}}
        for parameter in operation.get("parameters", ()):
            name, value = parameter["name"], self.value(parameter["name"], rng)
            if parameter["in"] == "path":
                path = path.replace(f"{{{name}}}", str(value))
            elif parameter["in"] == "header":
                request["headers"][name] = str(value).strip()
            elif parameter.get("required") or rng.random() < 0.6:
                request["params"][name] = value
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            told = content["application/json"]["schema"]
            # Of a body that may be one of several, the one that has fields.
            reference = next(
                each["$ref"] for each in (told, *told.get("anyOf", ())) if "$ref" in each
            )
            name = reference.rpartition("/")[2]
            schema = document["components"]["schemas"][name]
            wanted = schema.get("required", ())
            request["json"] = {
                field: self.value(field, rng)
                for field in schema["properties"]
                if field in wanted or (field in self.values and rng.random() < 0.5)
            }
        elif content or path == "/api/import":
            request["content"] = rng.choice(self.rows)
            request["headers"]["Content-Type"] = "application/x-ndjson"
        return path, request

    def value(self, name: str, rng: random.Random) -> Any:
        """Returns a value for a parameter or a field."""
        return rng.choice(self.values.get(name, self.texts))


def seen(answer: httpx.Response) -> tuple[int, str]:
    """Returns what a client sees of an answer, without what differs between any two."""
    try:
        text = json.dumps(answer.json(), sort_keys=True)
    except ValueError:
        text = answer.text
    return answer.status_code, _VARYING.sub("", text)
