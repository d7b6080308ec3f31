"""What code says before it runs: its functions, and the imports that it may not have.

Runs in the sandbox's own process: Python's parser can be made to take much memory, or to fail, by a text.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from tracestore.sandbox.bounds import MAX_CODE_BYTES
from tracestore.sandbox.outcome import Checked, Failure, Function, Parameter

IMPORTS: Final = frozenset(
    {
        "base64", "binascii", "bisect", "collections", "copy", "csv", "dataclasses", "datetime", "decimal", "functools",
        "hashlib", "itertools", "json", "math", "random", "re", "time", "tomllib", "typing", "unicodedata",
    }
)  # fmt: skip
"""Modules that code may import: what computes. The interpreter has others that ask for files and settings, in vain."""

MAX_FUNCTIONS: Final = 200
"""Functions at the top of one code."""

MAX_DESCRIPTION_CHARACTERS: Final = 1000
"""Of a function's docstring that are kept."""


def read_code(code: str) -> Checked:
    """Returns the functions that code defines, or the line that is not taken."""
    if len(code.encode(errors="replace")) > MAX_CODE_BYTES:
        return _refused(f"the code has more than {MAX_CODE_BYTES} bytes", None)
    try:
        tree = ast.parse(code)
        failure = next(_refusals(tree), None)
        functions = tuple(
            _function(each) for each in tree.body if isinstance(each, ast.FunctionDef)
        )
    except SyntaxError as error:
        return _refused(f"cannot read the code: {error.msg}", error.lineno)
    except (ValueError, RecursionError, MemoryError, UnicodeError) as error:
        return _refused(f"cannot read the code: {str(error) or 'it is nested too deep'}", None)
    if failure is None and len(functions) > MAX_FUNCTIONS:
        failure = Failure("syntax", f"more than {MAX_FUNCTIONS} functions")
    return Checked(functions if failure is None else (), failure)


def _refusals(tree: ast.Module) -> Iterator[Failure]:
    """Yields what is not taken, in the order of a walk."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            if _is_future(node):
                continue
            names = ["." * node.level + (node.module or "")]
        else:
            continue
        for name in names:
            if name.partition(".")[0] not in IMPORTS:
                wanted = ", ".join(sorted(IMPORTS))
                yield Failure(
                    "syntax", f"cannot import {name!r}; want one of {wanted}", node.lineno
                )


def without_futures(code: str) -> str:
    """Returns code that was read, without its imports of `__future__`, which the interpreter does not have.

    Every other line stays where it was.
    """
    if "__future__" not in code:
        return code
    lines = code.splitlines(keepends=True)
    for node in ast.parse(code).body:
        if isinstance(node, ast.ImportFrom) and _is_future(node):
            for place in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[place] = "\n"
    return "".join(lines)


def _is_future(node: ast.ImportFrom) -> bool:
    return node.module == "__future__" and not node.level


def _function(node: ast.FunctionDef) -> Function:
    given = node.args
    positional = [*given.posonlyargs, *given.args]
    optional = len(given.defaults)
    parameters = [
        Parameter(each.arg, place < len(positional) - optional, _hint(each))
        for place, each in enumerate(positional)
    ]
    parameters += [
        Parameter(each.arg, default is None, _hint(each))
        for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    ]
    description = (ast.get_docstring(node) or "")[:MAX_DESCRIPTION_CHARACTERS]
    return Function(node.name, node.lineno, tuple(parameters), given.kwarg is not None, description)


def _hint(argument: ast.arg) -> str | None:
    return None if argument.annotation is None else ast.unparse(argument.annotation)


def _refused(message: str, line: int | None) -> Checked:
    return Checked((), Failure("syntax", message, line))
