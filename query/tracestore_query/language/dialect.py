"""The SQL this API speaks: DuckDB's, with `match` and `search` as plain functions."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp, parser
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.tokenizer_core import TokenType

from tracestore.errors import UnfitPackageError
from tracestore_query.errors import QueryForbiddenError, QuerySyntaxError

MAX_SQL_CHARACTERS = 1_000_000
"""Longer text is refused before it is parsed: a parser's tree is about 100 times its text."""

MAX_INDEX_STEPS = 100
"""Steps in brackets of one chain. The parser finds the type of the whole chain again at each of them: the time grows
by the square, 0.1 s for 100 and 5 s for 500. Paths have 64 steps at most."""

TYPES = 1024
"""Types whose trees are kept: making one of a text takes longer than the rest of a small expression."""


def require_extensible(module_file: str) -> None:
    """Checks that classes of a module can be extended, as those of the parser are below.

    Raises:
        UnfitPackageError: where the module is compiled, which sqlglot's optional package does to all of its own.
    """
    if not module_file.endswith(".py"):
        raise UnfitPackageError(
            "cannot read SQL: sqlglotc is installed, whose compiled parser takes no dialect but its own; "
            "run: pip uninstall sqlglotc"
        )


require_extensible(str(parser.__file__))

DuckDBParser: Any = DuckDB.Parser
DuckDBGenerator: Any = DuckDB.Generator

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_MISSING = re.compile(r"Required keyword: '\w+' missing for <class '[\w.]+'>")


_WORD = re.compile(r"[^\W\d]\w*")
# Texts and comments, and in the last group a parameter by its name.
_PARAMETERS = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$|(\$\w+)", re.DOTALL
)
# Full-text search, and functions that the parser would write with other arguments.
_OTHER_DIALECTS = frozenset(
    {
        "SEARCH",
        "APPROX_TOP_K",
        "ARRAY_REVERSE_SORT",
        "ARRAY_SORT",
        "LIST_REVERSE_SORT",
        "LIST_SORT",
        "MATCH",
        "MATCH_AGAINST",
        "REDUCE",
        "DECODE",
        "ENCODE",
        "JAROWINKLER_SIMILARITY",
        "JARO_WINKLER_SIMILARITY",
    }
)


def _quantified(call: type[exp.Expr]) -> Callable[[list[exp.Expr]], exp.Expr]:
    """Returns what builds `ALL(list)` and `SOME(list)` as the parser builds `ANY(list)`."""

    def build(arguments: list[exp.Expr]) -> exp.Expr:
        if len(arguments) != 1:
            raise ParseError("ANY, SOME and ALL take one list or one query")
        return call(this=exp.paren(arguments[0], copy=False))

    return build


def _sum(arguments: list[exp.Expr]) -> exp.Expr:
    """Returns a call of `date_add`, which is the engine's other name of `+`."""
    if len(arguments) != 2:
        return exp.Anonymous(this="date_add", expressions=arguments)
    left, right = (exp.paren(each, copy=False) for each in arguments)
    return exp.paren(exp.Add(this=left, expression=right), copy=False)


class _Tokenizer(DuckDB.Tokenizer):
    """The tokens of DuckDB, with EXPLAIN as the same one as DESCRIBE: both stand before a statement."""

    KEYWORDS: ClassVar = {**DuckDB.Tokenizer.KEYWORDS, "EXPLAIN": TokenType.DESCRIBE}


class _Parser(DuckDBParser):  # type: ignore[misc]
    """The parser of DuckDB, less `LIST[...]` and the names that other dialects' full-text search takes."""

    FUNCTIONS: ClassVar = {
        name: build for name, build in DuckDBParser.FUNCTIONS.items() if name not in _OTHER_DIALECTS
    } | {"DATE_ADD": _sum, "ALL": _quantified(exp.All), "SOME": _quantified(exp.Any)}
    # `attributes.list[0]` is an item of a path and not a list of one.
    ARRAY_CONSTRUCTORS: ClassVar[dict[str, Any]] = {}
    FUNCTION_PARSERS: ClassVar = {
        name: parse
        for name, parse in DuckDBParser.FUNCTION_PARSERS.items()
        if name not in _OTHER_DIALECTS
    }

    def parse(self, raw_tokens: list[Any], sql: str) -> list[exp.Expr | None]:
        """Returns the trees of tokens; behind a dot a reserved word is a name. A quoted name stays quoted."""
        before = None
        for token in raw_tokens:
            if (
                before is TokenType.DOT
                and token.token_type not in {TokenType.IDENTIFIER, TokenType.STRING}
                and _WORD.fullmatch(token.text)
            ):
                token.token_type = TokenType.VAR
            before = token.token_type
        trees: list[exp.Expr | None] = super().parse(raw_tokens, sql)
        return trees

    def _replace_lambda(
        self, node: exp.Expr | None, _expressions: list[exp.Expr]
    ) -> exp.Expr | None:
        """Returns the body of a lambda as it is: its names are columns, which every place of a value takes."""
        return node

    def _parse_bracket(self, this: exp.Expr | None = None) -> exp.Expr | None:
        if this is not None and self._curr and self._curr.token_type == TokenType.L_BRACKET:
            _check_index_steps(this)
        tree: exp.Expr | None = super()._parse_bracket(this)
        return tree

    def _parse_simplified_pivot(self, is_unpivot: bool | None = None) -> exp.Expr:
        """Returns a PIVOT statement with the order and the limit behind it; an UNPIVOT has them around it."""
        pivot: exp.Pivot = super()._parse_simplified_pivot(is_unpivot=is_unpivot)
        parts = {"order": self._parse_order(), "limit": self._parse_limit()}
        ordered: exp.Expr = pivot
        if is_unpivot and any(parts.values()):
            ordered = exp.select("*").from_(exp.Subquery(this=pivot))
        for key, part in parts.items():
            if part is not None:
                ordered.set(key, part)
        return ordered

    def _parse_describe(self) -> exp.Describe:
        """Returns an EXPLAIN or DESCRIBE, which its `kind` tells apart, over the whole statement behind it."""
        kind = "EXPLAIN" if self._prev.text.upper() == "EXPLAIN" else "DESCRIBE"
        if kind == "EXPLAIN" and self._match_text_seq("ANALYZE"):
            kind = "EXPLAIN ANALYZE"
        statement = self._parse_statement()
        if statement is None:
            self.raise_error(f"expected a statement after {kind}")
        return exp.Describe(this=statement, kind=kind)


class StateOf(exp.Expression):
    """The state of an aggregate function in place of what it gives. No text is read as one."""

    arg_types: ClassVar = {"this": True}


class _Generator(DuckDBGenerator):  # type: ignore[misc]  # has no types
    """The generator of DuckDB, with states."""

    TRANSFORMS: ClassVar = {
        **DuckDBGenerator.TRANSFORMS,
        StateOf: lambda self, node: f"{self.sql(node, 'this')} EXPORT_STATE",
    }


class TraceSQL(DuckDB):
    """The dialect of DuckDB with that parser and generator."""

    Tokenizer = _Tokenizer
    Parser = _Parser
    Generator = _Generator

    def to_json_path(self, path: exp.Expr | None) -> exp.Expr | None:
        """Returns the path of a JSON function as it is written: what its dots mean, the engine says."""
        return path


def parse(sql: str) -> exp.Expr:
    """Returns the tree of one statement.

    Raises:
        QuerySyntaxError: where the text is not one SQL statement.
        QueryForbiddenError: where it is longer than a million characters.
    """
    if len(sql) > MAX_SQL_CHARACTERS:
        raise QueryForbiddenError(
            f"cannot run query: it is longer than {MAX_SQL_CHARACTERS} characters"
        )
    if not sql.isascii() and any("\ud800" <= c <= "\udfff" for c in sql):
        raise QuerySyntaxError(
            "cannot parse query: it holds half of a surrogate pair, which is no text"
        )
    if "$" in sql:
        # The tokenizer takes what stands behind a dollar for a tag, unless a space ends it.
        # It fails where the whole text ends with an empty string, too.
        sql = _PARAMETERS.sub(lambda found: f"{found[0]} " if found[2] else found[0], sql) + " "
    try:
        trees = [tree for tree in TraceSQL().parse(sql) if tree is not None]
    except (ParseError, TokenError) as error:
        raise QuerySyntaxError(f"cannot parse query: {_place(error, sql)}") from None
    except RecursionError:
        raise QuerySyntaxError("cannot parse query: nested too deeply") from None
    if len(trees) != 1:
        raise QuerySyntaxError(f"cannot parse query: want one statement; got {len(trees)}")
    return trees[0]


def generate(tree: exp.Expr) -> str:
    """Returns the text of a tree, without comments: what a user wrote there is of no use to the engine.

    Raises:
        QuerySyntaxError: where a part of it has no form in this dialect.
    """
    try:
        return tree.sql(dialect=TraceSQL, comments=False)
    except (ValueError, SqlglotError) as error:
        raise QuerySyntaxError(f"cannot run query: {error}") from None


def cast(value: exp.Expr, sql_type: str) -> exp.Cast:
    """Returns a value cast to a type that the engine spells so. The value becomes a part of it."""
    return exp.Cast(this=value, to=_data_type(sql_type).copy())


@functools.lru_cache(maxsize=TYPES)
def _data_type(sql_type: str) -> exp.DataType:
    return exp.DataType.build(sql_type, dialect=DuckDB)


def _check_index_steps(chain: exp.Expr) -> None:
    steps = 0
    node: object = chain
    while isinstance(node, exp.Bracket | exp.Dot):
        steps += isinstance(node, exp.Bracket)
        node = node.this
    if steps >= MAX_INDEX_STEPS:
        raise QueryForbiddenError(
            f"cannot run query: nested too deeply; a path has more than {MAX_INDEX_STEPS} steps in brackets"
        )


def _place(error: Exception, sql: str) -> str:
    """Returns what was wrong, with the line and a caret under the column."""
    found = getattr(error, "errors", None) or [{}]
    line, column = found[0].get("line"), found[0].get("col")
    text = _ANSI.sub("", str(found[0].get("description") or error)).splitlines()[0]
    text = _MISSING.sub("something is missing", text)
    if not line:
        return text
    lines = sql.splitlines() or [""]
    shown = lines[min(line, len(lines)) - 1]
    return f"{text} at line {line}, column {column}\n  {shown}\n  {' ' * max(column - 1, 0)}^"
