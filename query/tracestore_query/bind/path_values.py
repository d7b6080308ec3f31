"""A path over a scan's data as an expression for the place where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from tracestore.variant import ITEM_LIST, ITEM_TEXTS, LEAF_TYPES, OVERFLOW, TABLES
from tracestore.variant.moved import ATTRIBUTES
from tracestore.variant.moved import COLUMN as MOVED_ATTRIBUTES
from tracestore.variant.moved import COLUMNS as MOVED_COLUMNS
from tracestore_query.bind.bind_state import Binding, TableData
from tracestore_query.bind.moved_paths import MovedPath, moved_path
from tracestore_query.bind.path_resolution import Place, Resolved, nearest_paths, resolve
from tracestore_query.bind.scan_builder import ScanBuilder
from tracestore_query.bind.values import item_columns, json_values, leaf_values
from tracestore_query.bind.values.leaf_values import Facts, facts_of
from tracestore_query.bind.values.sources import Absent, Expression, ItemText
from tracestore_query.bind.values.types import EVERY, ITEM, NULL, Kind, kind_of
from tracestore_query.bind.values.uses import VALUE, Use, Want
from tracestore_query.language.path_syntax import Step, shown
from tracestore_query.language.value_macros import VALUE as VALUE_TYPE
from tracestore_query.plan.plan import ObjectCall, part_name
from tracestore_query.plan.scan import Leaf, leaf_column_name

SPANS = TABLES["spans"]

_TAKEN = {
    Use.NUMBER: frozenset({"i64", "f64", "json"}),
    Use.TEXT: frozenset({"str"}),
    Use.BOOL: frozenset({"bool"}),
    Use.LIST: frozenset(name for name in LEAF_TYPES if name.endswith("[]")),
}
"""The leaf types whose values some uses take; others take all."""


class PathValues:
    """The maker of expressions of paths, which notes in their scans the leaves that these read."""

    def __init__(self, binding: Binding) -> None:
        self._binding = binding
        self._names: dict[ObjectCall, str] = {}
        self._resolved: dict[tuple[int, tuple[Step, ...]], Resolved] = {}

    def _resolve(self, steps: Sequence[Step], data: TableData) -> Resolved:
        """Returns what a path names in a table's data, looked up once."""
        key = (id(data), tuple(steps))
        found = self._resolved.get(key)
        if found is None:
            found = self._resolved[key] = resolve(steps, data)
        return found

    def leaf_types(self, scan: ScanBuilder, steps: list[Step]) -> list[str]:
        """Returns the leaf types that a path's values have."""
        if any(step.index is not None for step in steps):
            return ["json"]
        data = self._binding.data(scan.table)
        found = self._resolve(steps, data)
        types = dict.fromkeys(_leaf_types(found, data))
        moved = self._moved(steps, data)
        if moved is not None:
            types |= dict.fromkeys(self.leaf_types(scan, list(moved.steps)))
        return [*types, "json"] if found.below else list(types)

    def text_columns(self, scan: ScanBuilder, steps: list[Step]) -> tuple[str, ...]:
        """Returns the stored columns of a path whose values are all texts, none where some are not."""
        data = self._binding.data(scan.table)
        found = self._resolve(steps, data)
        is_plain = not (found.inner or found.below or self._moved(steps, data))
        if not is_plain or any(leaf_type != "str" for _, leaf_type in found.leaves):
            return ()
        return tuple(sorted(leaf_column_name(leaf) for leaf in found.leaves))

    def _moved(self, steps: list[Step], data: TableData) -> MovedPath | None:
        """Returns where an attribute's values moved, None where none of the data did."""
        moved = moved_path(steps)
        if moved is None or self._resolve(moved.steps, data).absent:
            return None
        return moved

    def object_keys(self, scan: ScanBuilder, steps: list[Step]) -> tuple[str, ...] | None:
        """Returns the keys of a path that is an object in some row, None where it is none or lies in several places."""
        data = self._binding.data(scan.table)
        found = self._resolve(steps, data)
        if not found.below or found.inner or len(found.places) > 1:
            return None
        return found.places[0].keys

    def facts(self, scan: ScanBuilder, steps: list[Step]) -> Facts:
        """Returns what is known of a path."""
        data = self._binding.data(scan.table)
        own = self._own_facts(self._resolve(steps, data), data)
        moved = self._moved(steps, data)
        if moved is None:
            return own
        there = self.facts(scan, list(moved.steps))
        if own.type in {NULL, there.type}:
            return replace(there, kinds=own.kinds | there.kinds)
        is_item = (
            ITEM in {own.type, there.type} or kind_of(own.type) is kind_of(there.type) is Kind.LIST
        )
        return Facts(there.type if is_item else VALUE_TYPE, own.kinds | there.kinds)

    def _own_facts(self, found: Resolved, data: TableData) -> Facts:
        types = _leaf_types(found, data)
        if found.inner:
            lists = [each for each in types if each.endswith("[]")]
            if len(lists) == 1 and lists != ["json[]"] and len(found.inner) == 1:
                item = lists[0].removesuffix("[]")
                return facts_of([item])
            return Facts(ITEM, EVERY) if lists else Facts(NULL, frozenset())
        if found.below:
            return replace(
                facts_of(types), type=VALUE_TYPE, kinds=facts_of(types).kinds | {Kind.OBJECT}
            )
        return facts_of(types)

    def value(
        self,
        alias: str,
        scan: ScanBuilder,
        steps: list[Step],
        want: Want,
        *,
        must_be_set: bool = False,
    ) -> exp.Expr:
        """Returns the expression of a path for its use; for CAST, what stands in place of the cast.

        Args:
            alias: of the scan, in the query.
            scan: where the path is read.
            steps: from the variant column on.
            want: the use.
            must_be_set: whether only rows that have a value there can be in the answer.
        """
        data = self._binding.data(scan.table)
        found = self._resolve(steps, data)
        moved = self._moved(steps, data)
        there = self._resolve(moved.steps, data) if moved is not None else None
        if found.absent and there is None and len(steps) > 1:
            self._absent(scan, steps, data)
        if must_be_set and self._binding.shortcuts and not found.below and not found.inner:
            if there is None:
                scan.non_null_paths.append(found.leaves)
            elif not there.below and not there.inner:
                scan.non_null_paths.append((*found.leaves, *there.leaves))
        if moved is not None and there is not None:
            return self._with_moved(alias, scan, steps, moved, want)
        text = self._text_inside(alias, scan, steps, must_be_set=must_be_set)
        if text is not None:
            return text.convert(want)
        columns = self._columns(alias, scan, found, data, want)
        if found.inner:
            return self._inside(columns, found, want)
        if found.below:
            return self._object(alias, scan, steps, found, columns, want)
        self._warn_of_type(scan, steps, _leaf_types(found, data), want)
        return leaf_values.of_use(columns, want)

    def item_lists(
        self, alias: str, scan: ScanBuilder, steps: Sequence[Step], key: str
    ) -> item_columns.ItemLists | None:
        """Returns what is read for a key of a list's items, None where these alone are."""
        data = self._binding.data(scan.table)
        if not self._binding.reads_item_columns or self._moved(list(steps), data) is not None:
            return None
        return item_columns.lists(alias, scan, self._resolve(steps, data), data, key)

    def _text_inside(
        self, alias: str, scan: ScanBuilder, steps: Sequence[Step], *, must_be_set: bool
    ) -> ItemText | None:
        """Returns what lies at a key of one item of a list, where an item column has it."""
        *before, item, member = steps if len(steps) > 2 else (*steps, Step(), Step(index=0))
        if item.index is None or member.index is not None:
            return None
        read = self.item_lists(alias, scan, before, member.text)
        if read is None:
            return None
        (text,) = leaf_values.items_at({ITEM_TEXTS: read.texts}, item.index).values()
        if read.items is None:
            if must_be_set and self._binding.shortcuts:
                scan.non_null_paths.append((scan.leaf_of(read.texts.name),))
            return ItemText(text)
        (other,) = leaf_values.items_at({ITEM_LIST: read.items}, item.index).values()
        return ItemText(text, item_columns.member_of(other, member.text))

    def _columns(
        self, alias: str, scan: ScanBuilder, found: Resolved, data: TableData, want: Want
    ) -> dict[str, exp.Expr]:
        """Returns the columns of those of a path's leaves that a use takes, by leaf type: no other is read."""
        columns: dict[str, exp.Expr] = {}
        taken = None if found.inner else _TAKEN.get(want.use)
        for path, leaf_type in found.leaves:
            if taken is not None and leaf_type not in taken:
                continue
            # A null is a type of its own to typeof, and to nothing else.
            named = want.use is Use.TYPEOF
            if not named and _is_null_only(data, path, leaf_type, len(found.leaves)):
                continue
            column = exp.column(scan.leaf_column(path, leaf_type), table=alias, quoted=True)
            _add(columns, leaf_type, column)
        return columns

    def _with_moved(
        self, alias: str, scan: ScanBuilder, steps: list[Step], moved: MovedPath, want: Want
    ) -> exp.Expr:
        """Returns an attribute's value: from where it moved in the rows that say so, else its own."""
        data = self._binding.data(scan.table)
        found, there = self._resolve(steps, data), self._resolve(moved.steps, data)
        scan.fixed_columns[MOVED_ATTRIBUTES] = None
        mark = exp.Anonymous(
            this="contains",
            expressions=[
                exp.column(MOVED_ATTRIBUTES, table=alias, quoted=True),
                exp.Literal.string(moved.mark),
            ],
        )
        if not found.below and not there.below and found.inner == there.inner:
            # The same leaf types, in one of two places.
            columns = self._columns(alias, scan, found, data, want)
            for leaf_type, column in self._columns(alias, scan, there, data, want).items():
                _add(columns, leaf_type, exp.Case(ifs=[exp.If(this=mark.copy(), true=column)]))
            if found.inner:
                return self._inside(columns, found, want)
            types = [*_leaf_types(found, data), *_leaf_types(there, data)]
            self._warn_of_type(scan, steps, types, want)
            return leaf_values.of_use(columns, want)
        if want.use is Use.BARE and not found.absent:
            # One of them may be an object, or of another type.
            want = VALUE
        value = self.value(alias, scan, list(moved.steps), want)
        if found.absent:
            return exp.Case(ifs=[exp.If(this=mark, true=value)])
        columns = self._columns(alias, scan, found, data, want)
        if found.inner:
            own = self._inside(columns, found, want)
        elif found.below:
            own = self._object(alias, scan, steps, found, columns, want)
        else:
            own = leaf_values.of_use(columns, want)
        there_only = exp.Case(ifs=[exp.If(this=mark, true=value)])
        if want.use is Use.PRESENT:
            # An object is there as its text, a leaf as itself: of both only that they are there is asked.
            either = exp.or_(_is_there(own), _is_there(there_only))
            return exp.Case(ifs=[exp.If(this=either, true=exp.true())])
        return exp.Coalesce(this=own, expressions=[there_only])

    def _inside(self, columns: Mapping[str, exp.Expr], found: Resolved, want: Want) -> exp.Expr:
        """Returns what lies at steps inside a list."""
        items = leaf_values.items_at(columns, found.inner[0].index or 0)
        rest = found.inner[1:]
        if not items:
            return Absent().convert(want)
        if not rest and len(items) == 1 and "json" not in items:
            return leaf_values.of_use(items, want)
        parts = []
        for leaf_type, item in items.items():
            if leaf_type == "json":
                parts.append(json_values.at(item, rest))
            elif not rest:
                parts.append(exp.Anonymous(this="to_json", expressions=[item]))
        return Expression(leaf_values.first(parts, "JSON"), ITEM).convert(want)

    def _object(
        self,
        alias: str,
        scan: ScanBuilder,
        steps: list[Step],
        found: Resolved,
        columns: dict[str, exp.Expr],
        want: Want,
    ) -> exp.Expr:
        """Returns an object, made inside the engine for every row it is asked for."""
        use = want.use
        if use in {Use.NUMBER, Use.BOOL, Use.LIST, Use.TEXT}:
            types = _leaf_types(found, self._binding.data(scan.table))
            self._warn_of_type(scan, steps, ["object", *types], want)
            return leaf_values.of_use(columns, want)
        is_stored = want.is_stored
        texts = [self._object_text(alias, scan, each, is_stored=is_stored) for each in found.places]
        text = leaf_values.first(texts, "VARCHAR")
        if use is Use.PRESENT:
            return text
        parts = [leaf_values.of_use(columns, VALUE if use is Use.BARE else want)] if columns else []
        return leaf_values.first([*parts, leaf_values.object_of_use(text, want)], "JSON")

    def _object_text(
        self, alias: str, scan: ScanBuilder, place: Place, *, is_stored: bool
    ) -> exp.Expr:
        scan.fixed_columns[OVERFLOW] = None
        scan.object_fields.add(place.keys[0])
        parts: list[exp.Expr] = [exp.column(OVERFLOW, table=alias, quoted=True)]
        data = self._binding.data(scan.table)
        leaves: list[Leaf] = []
        for path in (*dict.fromkeys(path for path, _ in place.leaves), *place.below):
            for leaf_type in data.types(path):
                # What lies in a tail is in `_overflow` too.
                if data.in_columns((path, leaf_type)):
                    leaves.append((path, leaf_type))
                    parts.append(
                        exp.column(scan.object_part(path, leaf_type), table=alias, quoted=True)
                    )
        moved = not is_stored and place.keys == (ATTRIBUTES,) and scan.table == SPANS.name
        if moved:
            parts += self._moved_parts(alias, scan, data, leaves)
        call = ObjectCall(place.keys, tuple(leaves), moved)
        # The same object has the same name wherever it stands: the engine must see that both are one.
        name = self._names.get(call)
        if name is None:
            name = self._names[call] = self._binding.name("object")
            self._binding.objects[name] = call
        fields = [_field(part_name(number), part) for number, part in enumerate(parts)]
        text = exp.Anonymous(this=name, expressions=[exp.Struct(expressions=fields)])
        return exp.Nullif(this=text, expression=exp.Literal.string("null"))

    def _moved_parts(
        self, alias: str, scan: ScanBuilder, data: TableData, leaves: list[Leaf]
    ) -> list[exp.Expr]:
        """Returns the leaves that attributes moved to, and notes them: all attributes are wanted."""
        parts: list[exp.Expr] = []
        scan.object_fields.update(MOVED_COLUMNS)
        for column in MOVED_COLUMNS:
            for path in (column, *data.below(column)):
                for leaf_type in data.types(path):
                    if data.in_columns((path, leaf_type)):
                        leaves.append((path, leaf_type))
                        part = exp.column(
                            scan.object_part(path, leaf_type), table=alias, quoted=True
                        )
                        parts.append(part)
        scan.fixed_columns[MOVED_ATTRIBUTES] = None
        return [*parts, exp.column(MOVED_ATTRIBUTES, table=alias, quoted=True)]

    def _absent(self, scan: ScanBuilder, steps: list[Step], data: TableData) -> None:
        near = nearest_paths(steps, data.names())
        hint = f"; nearest: {', '.join(near)}" if near else ""
        self._binding.warn(f"{scan.table} has no path {shown(steps)} in the data read{hint}")

    def _warn_of_type(
        self, scan: ScanBuilder, steps: list[Step], leaf_types: Sequence[str], want: Want
    ) -> None:
        """Warns where a path has values, none of which the use can take."""
        kinds = None if want.use is Use.LIST else _TAKEN.get(want.use)
        if leaf_types and kinds is not None and not kinds & set(leaf_types):
            words = {Use.NUMBER: "numbers", Use.TEXT: "strings", Use.BOOL: "booleans"}
            self._binding.warn(
                f"{scan.table} path {shown(steps)} holds no {words[want.use]} in the data read, "
                f"only {', '.join(sorted(set(leaf_types)))}; write {shown(steps)}::TYPE to convert it"
            )


def _is_there(value: exp.Expr) -> exp.Expr:
    return exp.Not(this=exp.Is(this=exp.paren(value), expression=exp.null()))


def _leaf_types(found: Resolved, data: TableData) -> list[str]:
    """Returns the leaf types of a path, each once in however many places it lies."""
    count = len(found.leaves)
    kept = [each for path, each in found.leaves if not _is_null_only(data, path, each, count)]
    return list(dict.fromkeys(kept))


def _add(columns: dict[str, exp.Expr], leaf_type: str, column: exp.Expr) -> None:
    """Adds a column of a leaf type: what lies in several places is one column to the reader."""
    if leaf_type in columns:
        column = exp.Coalesce(this=columns[leaf_type], expressions=[column])
    columns[leaf_type] = column


def _field(name: str, value: exp.Expr) -> exp.PropertyEQ:
    return exp.PropertyEQ(this=exp.to_identifier(name, quoted=True), expression=value)


def _is_null_only(data: TableData, path: str, leaf_type: str, leaves: int) -> bool:
    """Tells whether a leaf says nothing but that its rows hold null, beside others that tell the type."""
    return leaf_type == "json" and leaves > 1 and data.null_only(path)
