"""An expression in two languages: over paths for the store, and over typed columns for plain DuckDB."""

from __future__ import annotations

from dataclasses import dataclass

_VALUE_MACROS = {"num": "of_num", "text": "of_text", "bool": "of_bool"}
_READ_MACROS = {"num": "as_num", "text": "as_text", "bool": "as_bool"}
_SQL_TYPES = {"num": "DOUBLE", "text": "VARCHAR", "bool": "BOOLEAN"}


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression, or another part of a statement.

    Attributes:
        ours: as the store takes it.
        plain: as plain DuckDB takes it.
        kind: num, text, bool, time, value, lists of these (nums, texts, values), items for a list of objects (what
            its items have at the key `role` is a column of plain DuckDB), or absent for a path of no row.
        is_path: whether it is a path or a column that comes from one.
    """

    ours: str
    plain: str
    kind: str = ""
    is_path: bool = False

    def within(self, alias: str) -> Expression:
        """Returns a column behind the alias of its table."""
        return Expression(f"{alias}.{self.ours}", f"{alias}.{self.plain}", self.kind, self.is_path)

    def taken_as(self, kind: str) -> Expression:
        """Returns the values of a kind: a place takes them from a path of several by itself."""
        if self.kind == "value" and kind in _READ_MACROS:
            return Expression(self.ours, f"{_READ_MACROS[kind]}({self.plain})", kind, self.is_path)
        if self.kind == "absent" and kind in _SQL_TYPES:
            # A column of NULLs and no constant: GROUP BY takes a constant for one group, even of no rows.
            return Expression(
                self.ours, f"TRY_CAST({self.plain} AS {_SQL_TYPES[kind]})", kind, self.is_path
            )
        if kind == "value" and self.kind in _VALUE_MACROS:
            return Expression(
                self.ours, f"{_VALUE_MACROS[self.kind]}({self.plain})", kind, self.is_path
            )
        return self


def same(text: str, kind: str = "") -> Expression:
    """Returns what is written alike in both languages."""
    return Expression(text, text, kind)


def made(template: str, *parts: Expression, kind: str = "") -> Expression:
    """Returns a template with parts in its places."""
    return Expression(
        template.format(*(part.ours for part in parts)),
        template.format(*(part.plain for part in parts)),
        kind,
    )


def joined(parts: list[Expression], between: str = ", ") -> Expression:
    """Returns parts one after the other."""
    return Expression(
        between.join(part.ours for part in parts), between.join(part.plain for part in parts)
    )
