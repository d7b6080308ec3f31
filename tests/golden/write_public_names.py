"""Writes down what callers may use, where it is not written down yet: `python -m golden.write_public_names`.

Once committed, a name is never taken out of the file: programs were written against it.
"""

from __future__ import annotations

import enum
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import tracestore
import tracestore.errors
import tracestore.scorers
from tracestore.server import Server, ServerSettings

NAMES = Path(__file__).with_name("public_names.json")
ROUTES = Path(__file__).with_name("routes.json")

Signature = dict[str, str]
"""What each parameter is: `positional`, `keyword` or `either`, and with `?` behind it where it may be left out."""

KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: "positional",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "either",
    inspect.Parameter.KEYWORD_ONLY: "keyword",
    inspect.Parameter.VAR_POSITIONAL: "rest",
    inspect.Parameter.VAR_KEYWORD: "rest",
}


def public_names() -> dict[str, Signature | None]:
    """Returns every public name of an application's point of view with its parameters, None for what is not called."""
    names: dict[str, Signature | None] = {}
    for name in tracestore.__all__:
        names.update(_described(f"tracestore.{name}", getattr(tracestore, name)))
    for module in (tracestore.errors, tracestore.scorers):
        names.update(_of_module(module))
    return names


def routes(folder: Path) -> dict[str, dict[str, Any]]:
    """Returns each operation of the HTTP API with its parameters and the fields of its body."""
    settings = ServerSettings(data=folder / "store", port=0, grpc_port=-1)
    with Server(settings) as server:
        import httpx

        document = httpx.get(f"{server.url}/openapi.json").json()
    found = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            found[f"{method.upper()} {path}"] = {
                "parameters": {
                    parameter["name"]: parameter.get("required", False)
                    for parameter in operation.get("parameters", [])
                },
                "body": _fields(operation, document),
            }
    return found


def _fields(operation: dict[str, Any], document: dict[str, Any]) -> dict[str, bool]:
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return {name: name in schema.get("required", []) for name in schema.get("properties", {})}


def _of_module(module: ModuleType) -> Iterator[tuple[str, Signature | None]]:
    for name, member in sorted(vars(module).items()):
        if not name.startswith("_") and getattr(member, "__module__", None) == module.__name__:
            yield from _described(f"{module.__name__}.{name}", member).items()


def _described(name: str, member: Any) -> dict[str, Signature | None]:
    found: dict[str, Signature | None] = {name: _signature(member)}
    if inspect.isclass(member) and not issubclass(member, enum.Enum):
        for inner, part in inspect.getmembers(member):
            if inner.startswith("_") or not _is_of_us(part):
                continue
            found[f"{name}.{inner}"] = _signature(part)
    return found


def _is_of_us(part: Any) -> bool:
    home = part.fget if isinstance(part, property) else part
    return str(getattr(home, "__module__", "")).startswith("tracestore")


def _signature(member: Any) -> Signature | None:
    if not callable(member) or (inspect.isclass(member) and issubclass(member, Exception)):
        return None
    return {
        parameter.name: KINDS[parameter.kind]
        + ("" if parameter.default is inspect.Parameter.empty else "?")
        for parameter in inspect.signature(member).parameters.values()
        if parameter.name != "self"
    }


if __name__ == "__main__":
    import tempfile

    NAMES.write_text(json.dumps(public_names(), indent=1) + "\n")
    with tempfile.TemporaryDirectory() as scratch:
        ROUTES.write_text(json.dumps(routes(Path(scratch)), indent=1) + "\n")
