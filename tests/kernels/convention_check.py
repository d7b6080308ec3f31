"""Holds what kernels made of spans against the twin of conventions, and against what was sent."""

from __future__ import annotations

import json
from typing import Any

from kernels import check, reference, reference_otlp
from kernels import reference_told as told
from kernels.reference_conventions import Fields
from kernels.span_rows import shred, spans_of
from tracestore.variant import input_key, restore_attributes, unshred, unshred_values

FIELDS = (
    *("type", "input", "output", "expected", "scores", "metrics", "metadata", "tags", "error"),
    "attributes",
)


def as_json(value: Any) -> Any:
    """Returns a value as JSON holds it: bytes and numbers that it lacks as text, floats told from integers."""
    return reference.canon(told.json_value(value))


def hold_against_twin(request: Any) -> None:
    """Asserts that every span has the twin's columns, and its attributes as they came."""
    spans = spans_of(request)
    for options in (check.DENSE, check.DEFAULTS):
        found = shred(request, **options)
        lines = [reference.parse(line) for line in unshred(found).splitlines()]
        values = {name: unshred_values(found, name).to_pylist() for name in FIELDS[1:]}
        moved = found.column("moved_attributes").to_pylist()
        keys = found.column("input_key").to_pylist()
        for i, (span, line) in enumerate(zip(spans, lines, strict=True)):
            twin = Fields(span)
            wanted = {**twin.row, **({"attributes": twin.attributes} if twin.attributes else {})}
            record = json.loads(moved[i] or "{}")
            for name in FIELDS:
                # Whether messages stay as they came as well is held to what is put back.
                if name != "attributes" or not twin.has_messages:
                    assert as_json(line.get(name)) == as_json(wanted.get(name)), (name, span)
            assert twin.has_messages or record == twin.moved
            texts = {name: None if each[i] == "null" else each[i] for name, each in values.items()}
            restored = restore_attributes(texts["attributes"], moved[i], texts)
            given_ = reference_otlp.attributes(span.attributes)
            back = with_parsed(json.loads(restored or "{}"), record)
            assert back == with_parsed(given_, record), span
            if "input" in twin.row:
                assert keys[i] == input_key((values["input"][i] or "null").encode())


def with_parsed(attributes: dict[str, Any], record: dict[str, list[str]]) -> dict[str, Any]:
    """Returns attributes with JSON text that moved as its value: white space and order of keys are not kept."""
    found = {key: as_json(value) for key, value in attributes.items()}
    for name, (_, form, *texts) in record.items():
        if form in {"json", "parts"}:
            value = reference.parse(attributes[name])
            found[name] = as_json(inside(value) if texts else value)
        elif texts:
            for key, value in attributes.items():
                if key.startswith((name.removesuffix("*"), name)):
                    found[key] = as_json(inside(value))
    return found


def inside(value: Any) -> Any:
    """Returns a value with the objects and lists that its texts hold."""
    if isinstance(value, dict):
        return {key: inside(item) for key, item in value.items()}
    if isinstance(value, list):
        return [inside(item) for item in value]
    if isinstance(value, str) and value.lstrip(told.SPACE)[:1] in {"{", "["}:
        parsed, is_json = told.parsed(value)
        return inside(parsed) if is_json else value
    return value
