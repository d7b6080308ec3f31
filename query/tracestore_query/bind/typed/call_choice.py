"""How the arguments of a call are taken, found by asking the engine what it binds."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from tracestore_query.bind.typed.call_forms import (
    arguments,
    example_of,
    filled,
    is_constant,
    null_of,
    template,
)
from tracestore_query.bind.typed.engine_types import EngineTypes, is_aggregate
from tracestore_query.bind.values.sources import Bound
from tracestore_query.bind.values.types import ITEM, NULL, SPELLED, Kind, kind_of
from tracestore_query.language.value_macros import VALUE

MAX_TRIED = 200
"""Combinations of types that are tried for a call of many paths."""

_CALLED = re.compile(r"(\w+)\(")
_OPERATORS: dict[type[exp.Expr], str] = {
    exp.JSONExtract: "json_extract",
    exp.JSONExtractScalar: "json_extract_string",
}
_NUMBERS = ("DOUBLE", "BIGINT", "HUGEINT", "UBIGINT", "INTEGER")
_SPELLED = (
    *("TIMESTAMP WITH TIME ZONE", "TIMESTAMP", "DATE", "TIME", "INTERVAL"),
    *("BLOB", "UUID"),
)
_TAGGED_KINDS = frozenset({Kind.NUMBER, Kind.TEXT, Kind.BOOLEAN, Kind.LIST, Kind.JSON})


@dataclass(frozen=True, slots=True)
class Choice:
    """How the arguments of a call are taken.

    Attributes:
        types: of the arguments, as the engine gets them; None where one stays as it is.
        gives: the type of the call.
        others: more choices that give the same type: of rows whose value is of another kind.
        derived: whether the type that it gives is that of an argument, and so of the data.
    """

    types: tuple[str | None, ...]
    gives: str | None
    others: tuple[tuple[str | None, ...], ...] = ()
    derived: bool = False


class Chooser:
    """The search for how the arguments of one form of a call are taken."""

    def __init__(
        self, types: EngineTypes, node: exp.Expr, held: Sequence[Bound], suffix: str
    ) -> None:
        self._types = types
        self._held = held
        self._template = template(node, len(held)) + suffix
        self._bodies = [
            i for i, each in enumerate(arguments(node)) if isinstance(each.parent, exp.Lambda)
        ]
        self._is_lambda = bool(self._bodies)
        self._scalar = not suffix and not is_aggregate(node, types)
        self._node = node
        self._open = [i for i, each in enumerate(held) if each.source is not None]

    def plain(self) -> str | None:
        """Returns the type of the call of arguments as they are."""
        nothing = [None] * len(self._held)
        return self._gives(nothing) or self._gives(nothing, literals=True)

    def choose(self) -> Choice:
        """Returns the choice: as it is, with tagged values, or by kinds."""
        if self._name() in self._types.of_booleans:
            booleans = [None if each.source is None else "BOOLEAN" for each in self._held]
            return Choice(tuple(booleans), self._gives(booleans))
        natural = [self._natural(i) for i in range(len(self._held))]
        if not any(sql_type is not None and VALUE in sql_type for sql_type in natural):
            gives = self._gives(natural) or self._gives(natural, literals=True)
            if gives is not None and not self._leaves_open(natural, gives):
                return self._of_lambda(
                    Choice(tuple(natural), gives, derived=self._derived(natural, gives))
                )
            if gives is not None:
                # By its type alone a NULL takes part.
                typed = self._by_kind()
                if typed is not None:
                    return typed
        if self._json_places() & set(self._open):
            chosen = [self._json(i) for i in range(len(self._held))]
            gives = self._gives(chosen) or self._gives(chosen, literals=True)
            if gives is not None:
                return Choice(tuple(chosen), gives)
        tagged = self._tagged()
        if tagged is not None:
            return self._of_lambda(tagged)
        return self._by_kind() or Choice(tuple(natural), None)

    def _leaves_open(self, natural: Sequence[str | None], gives: str) -> bool:
        """Tells whether a NULL of no type needs one: beside literals, or to give what stands beside it."""
        if self._is_lambda or NULL not in natural:
            return False
        others = len(natural) > natural.count(NULL)
        return (gives == NULL and others) or self._gives(natural, literals=True) is None

    def _of_lambda(self, choice: Choice) -> Choice:
        """Returns the choice with a condition where a lambda's value is not handed on."""
        if not self._is_lambda or choice.gives is None:
            return choice
        (body,) = self._bodies
        as_condition = (*choice.types[:body], "BOOLEAN", *choice.types[body + 1 :])
        if body in self._open and self._gives(as_condition) == choice.gives:
            return replace(choice, types=as_condition)
        return choice

    # --- as they are ----------------------------------------------------------------------------

    def _natural(self, i: int) -> str | None:
        source = self._held[i].source
        if source is None:
            return None
        if source.type == ITEM:
            return f"{ITEM}[]" if self._is_lambda and i == 0 else VALUE
        if source.type == f"{ITEM}[]" and not self._is_lambda:
            return f"{VALUE}[]"
        return source.type

    def _derived(self, natural: Sequence[str | None], gives: str) -> bool:
        """Tells whether a call of paths of one type gives that type because the paths have it."""
        if gives not in natural or kind_of(gives) not in _TAGGED_KINDS:
            return False
        with_values = [VALUE if i in self._open else None for i in range(len(natural))]
        return self._generic(with_values, self._gives(with_values)) is not None

    # --- tagged -----------------------------------------------------------------------------------

    def _tagged(self) -> Choice | None:
        base = [self._as_tagged(i) for i in range(len(self._held))]
        beside = [
            i
            for i, each in enumerate(self._held)
            # What a lambda gives has a type that its own values have.
            if each.source is None and i not in self._bodies and _can_be_tagged(each)
        ]
        for size in range(len(beside), -1, -1):
            for some in itertools.combinations(beside, size):
                types = [
                    _tagged_type(self._held[i].type or "") if i in some else base[i]
                    for i in range(len(base))
                ]
                gives = self._gives(types)
                if gives is None or not self._takes_any(types):
                    continue
                # What a function wants of what stands beside values, it may say only as it runs.
                if self._types.runs(self._asked(types, of=example_of)):
                    return self._generic(types, gives) or self._spelled(base, gives)
        gives = self._gives(base, literals=True)
        if gives is None or not self._types.runs(self._asked(base, literals=True, of=example_of)):
            return None
        return self._generic(base, gives) or self._spelled(base, gives)

    def _takes_any(self, types: Sequence[str | None]) -> bool:
        """Tells whether a function that binds with tagged values takes any type, and not structs alone."""
        return (
            self._gives([each.replace(VALUE, "UUID") if each else each for each in types])
            is not None
        )

    def _as_tagged(self, i: int) -> str | None:
        source = self._held[i].source
        if source is None or source.type == NULL:
            return None if source is None else NULL
        if self._is_lambda and (i == 0 or source.type.endswith("]")):
            # Its items have the type that the lambda's names have.
            return self._natural(i)
        if source.type.endswith("]"):
            return f"{VALUE}[]"
        return f"{VALUE}[]" if self._takes_lists(i) else VALUE

    def _takes_lists(self, i: int) -> bool:
        """Tells whether the catalog names nothing but lists for an argument."""
        declared = self._types.declared.get(self._name(), ())
        types = declared[i] if i < len(declared) else frozenset()
        return bool(types) and all(each.endswith("]") for each in types)

    def _generic(self, types: Sequence[str | None], gives: str | None) -> Choice | None:
        """Returns the choice of a function that hands values on, or looks at what they are."""
        if gives is None or gives in {"VARCHAR", "JSON"}:
            return None
        if VALUE in gives:
            # A function that computes gives another type than it takes, of numbers at least.
            small = [each.replace(VALUE, "SMALLINT") if each else each for each in types]
            of_small = self._gives(small)
            if of_small is not None and re.sub(r"\bSMALLINT\b", lambda _: VALUE, of_small) != gives:
                return None
        return Choice(tuple(types), gives)

    def _spelled(self, base: Sequence[str | None], gives: str) -> Choice | None:
        """Returns the choice of a function that spells values: it gets them as texts, or as JSON."""
        if gives not in {"VARCHAR", "JSON"}:
            return None
        text = SPELLED if gives == "VARCHAR" else "JSON"
        if self._is_lambda:
            return None
        # A list is spelled whole where that is taken, else each of its items is.
        whole = [text if each and VALUE in each else each for each in base]
        asked = [each.replace(SPELLED, "VARCHAR") if each else each for each in whole]
        if self._gives(asked) and self._types.runs(self._asked(asked, of=example_of)):
            return Choice(tuple(whole), gives)
        types = [each.replace(VALUE, text) if each else each for each in base]
        return Choice(tuple(types), gives)

    # --- JSON -------------------------------------------------------------------------------------

    def _json_places(self) -> frozenset[int]:
        return self._types.of_json.get(self._name(), frozenset())

    def _name(self) -> str:
        """Returns the engine's name of the function or operator."""
        written = _CALLED.match(self._template)
        return written.group(1).lower() if written else _OPERATORS.get(type(self._node), "")

    def _json(self, i: int) -> str | None:
        source = self._held[i].source
        if source is None:
            return None
        is_text = source.kinds == {Kind.TEXT} or i not in self._json_places()
        return "VARCHAR" if is_text else "JSON"

    # --- by kinds ---------------------------------------------------------------------------------

    def _by_kind(self) -> Choice | None:
        options = [list(self._candidates(i)) for i in self._open]
        held: list[tuple[tuple[str | None, ...], str]] = []
        for tried in itertools.islice(_together(options), MAX_TRIED):
            types: list[str | None] = [None] * len(self._held)
            for i, (sql_type, _) in zip(self._open, tried, strict=True):
                types[i] = sql_type
            gives = self._gives(types) or self._gives(types, literals=True)
            if gives is None or not self._runs_beside(types):
                continue
            held.append((tuple(types), gives))
            if not self._scalar or len(self._open) > 1:
                break
        if not held:
            return None
        return self._of_kinds(held)

    def _runs_beside(self, types: Sequence[str | None]) -> bool:
        """Tells whether a call can be run: beside values the engine takes a text for the spelling of one."""
        if not any(each is not None and each.endswith("]") for each in types):
            return True
        return self._types.runs(self._asked(types, literals=True, of=example_of))

    def _of_kinds(self, held: Sequence[tuple[tuple[str | None, ...], str]]) -> Choice:
        """Returns the choice of a function that takes values of several kinds: the row's own kind decides."""
        (at, *_) = self._open
        source = self._held[at].source
        present = source.kinds if source is not None else frozenset()
        chosen: list[tuple[str | None, ...]] = []
        kinds: set[Kind] = set()
        gives = held[0][1]
        for types, given in held:
            kind = kind_of(types[at] or "")
            if kind in kinds or kind not in present or kind is Kind.JSON:
                continue
            if not chosen:
                gives = given
            if given == gives:
                kinds.add(kind)
                chosen.append(types)
        if not chosen or not self._scalar or len(self._open) > 1:
            return Choice(*held[0])
        return Choice(chosen[0], gives, tuple(chosen[1:]))

    def _candidates(self, i: int) -> Iterator[tuple[str, bool]]:
        """Yields the types that an argument may be taken as, and whether the data has such values."""
        source = self._held[i].source
        if source is None:
            return
        numbers = dict.fromkeys((self._numbers(), *_NUMBERS))
        lists = dict.fromkeys(
            (
                f"{VALUE}[]" if source.lists == f"{ITEM}[]" else source.lists,
                *(f"{VALUE}[]", "DOUBLE[]", "VARCHAR[]", "BOOLEAN[]"),
            )
        )
        if not source.kinds:
            # A NULL takes the type of what stands beside it, which is never a tagged value.
            lists = dict.fromkeys(("DOUBLE[]", "VARCHAR[]", "BOOLEAN[]", f"{VALUE}[]"))
        if source.kinds == {Kind.LIST} and self._is_lambda:
            lists = dict.fromkeys((source.lists, *lists))
        by_kind: list[tuple[Kind, Sequence[str]]] = [
            (Kind.NUMBER, list(numbers)),
            (Kind.TEXT, ["VARCHAR"]),
            (Kind.BOOLEAN, ["BOOLEAN"]),
            (Kind.LIST, list(lists)),
            (Kind.OBJECT, ["JSON"]),
        ]
        for kind, sql_types in by_kind:
            yield from ((sql_type, kind in source.kinds) for sql_type in sql_types)
        yield from ((sql_type, False) for sql_type in _SPELLED)

    def _numbers(self) -> str:
        """Returns the type that holds the numbers of all paths: no number is cut for one beside it."""
        sources = [self._held[i].source for i in self._open]
        types = {each.numbers for each in sources if each is not None and Kind.NUMBER in each.kinds}
        return types.pop() if len(types) == 1 else "DOUBLE"

    # --- asking -------------------------------------------------------------------------------------

    def _gives(self, types: Sequence[str | None], *, literals: bool = False) -> str | None:
        """Returns what the call gives for arguments of types, None for as they are.

        Literals stand for their types: beside a value the engine would take a text for the spelling of one.
        """
        return self._types.of(self._asked(types, literals=literals))

    def _asked(
        self,
        types: Sequence[str | None],
        *,
        literals: bool = False,
        of: Callable[[str | None], str] = null_of,
    ) -> str:
        """Returns the call of values of types, of constants as they are written where `literals` says so."""
        texts = []
        for bound, sql_type in zip(self._held, types, strict=True):
            if literals and sql_type is None and is_constant(bound.node):
                texts.append(template(bound.node, 0))
                continue
            texts.append(of(sql_type or (bound.source.type if bound.source else bound.type)))
        return filled(self._template, texts)


def _together(options: list[list[tuple[str, bool]]]) -> Iterator[tuple[tuple[str, bool], ...]]:
    """Yields combinations of types: first those of one type for all."""
    if len(options) == 1:
        yield from ((each,) for each in options[0])
        return
    known = [dict(each) for each in options]
    for sql_type, _ in options[0]:
        if all(sql_type in each for each in known):
            yield tuple((sql_type, each[sql_type]) for each in known)
    yield from itertools.product(*options)


def _can_be_tagged(bound: Bound) -> bool:
    return bound.type is not None and kind_of(bound.type) in _TAGGED_KINDS


def _tagged_type(sql_type: str) -> str:
    return f"{VALUE}[]" if kind_of(sql_type) is Kind.LIST else VALUE
