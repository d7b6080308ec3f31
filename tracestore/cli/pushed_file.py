"""A file with scorers and tools, read for a server: nothing of it is run here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tracestore.errors import CodeError

_TYPES: Final = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "list": {"type": "array"},
    "dict": {"type": "object"},
    "None": {"type": "null"},
    "Any": {},
}


@dataclass(frozen=True, slots=True)
class Pushed:
    """A scorer or tool of a file.

    Attributes:
        line: where its function stands.
        body: its document.
    """

    name: str
    line: int
    body: dict[str, Any]


def read(path: Path) -> tuple[list[Pushed], list[Pushed]]:
    """Returns the scorers and the tools that a file's lists `scores` and `tools` name.

    Raises:
        CodeError: with a line.
    """
    code = path.read_text(encoding="utf-8")
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        raise CodeError(f"cannot read the code: {error.msg}", error.lineno or 1) from None
    functions = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
    scorers = [
        Pushed(name, functions[name].lineno, _body(code, functions[name]))
        for name in _listed(tree, "scores", functions)
    ]
    tools = [
        Pushed(
            name,
            functions[name].lineno,
            {**_body(code, functions[name]), "parameters": schema_of(functions[name])},
        )
        for name in _listed(tree, "tools", functions)
    ]
    if not scorers and not tools:
        raise CodeError(
            "no list `scores` or `tools` of functions; want e.g. scores = [my_scorer]", 1
        )
    return scorers, tools


def _body(code: str, function: ast.FunctionDef) -> dict[str, Any]:
    return {
        "type": "python",
        "code": code,
        "function": function.name,
        "description": ast.get_docstring(function) or "",
    }


def _listed(tree: ast.Module, name: str, functions: dict[str, ast.FunctionDef]) -> Iterator[str]:
    """Yields the names in the list of a name; raises CodeError for one that is no function of the file."""
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not any(
            isinstance(target, ast.Name) and target.id == name for target in node.targets
        ):
            continue
        if not isinstance(node.value, ast.List | ast.Tuple):
            raise CodeError(f"`{name}` is no list", node.lineno)
        for item in node.value.elts:
            if not isinstance(item, ast.Name) or item.id not in functions:
                raise CodeError(
                    f"`{name}` has {ast.unparse(item)}, which is no function at the top of this file",
                    item.lineno,
                )
            yield item.id


def schema_of(function: ast.FunctionDef) -> dict[str, Any]:
    """Returns the JSON schema of a function's arguments, as far as its annotations tell."""
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(given.defaults))
    defaults += given.defaults
    defaults += given.kw_defaults
    properties: dict[str, Any] = {}
    required: list[str] = []
    for argument, default in zip([*positional, *given.kwonlyargs], defaults, strict=True):
        schema = {} if argument.annotation is None else _schema(argument.annotation)
        if default is None:
            required.append(argument.arg)
        else:
            schema = _with_default(schema, default)
        properties[argument.arg] = schema
    return {"type": "object", "properties": properties, "required": required}


def _with_default(schema: dict[str, Any], default: ast.expr) -> dict[str, Any]:
    try:
        return {**schema, "default": ast.literal_eval(default)}
    except ValueError:
        return schema


def _schema(hint: ast.expr) -> dict[str, Any]:
    """Returns the schema of an annotation, one that allows everything where it says something else."""
    if isinstance(hint, ast.Constant) and hint.value is None:
        return dict(_TYPES["None"])
    if isinstance(hint, ast.Name):
        return dict(_TYPES.get(hint.id, {}))
    if isinstance(hint, ast.BinOp) and isinstance(hint.op, ast.BitOr):
        return {"anyOf": [_schema(hint.left), _schema(hint.right)]}
    if isinstance(hint, ast.Subscript) and isinstance(hint.value, ast.Name):
        return _generic(hint.value.id, hint.slice)
    return {}


def _generic(name: str, inner: ast.expr) -> dict[str, Any]:
    items = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if name == "list":
        return {"type": "array", "items": _schema(items[0])}
    if name == "dict" and len(items) == 2:
        return {"type": "object", "additionalProperties": _schema(items[1])}
    if name == "Optional":
        return {"anyOf": [_schema(items[0]), dict(_TYPES["None"])]}
    if name == "Literal" and all(isinstance(each, ast.Constant) for each in items):
        return {"enum": [ast.literal_eval(each) for each in items]}
    return {}
