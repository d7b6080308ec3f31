"""Items of a list of objects, unnested: their text is not checked where the query asks for keys of it alone."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp


@dataclass(slots=True)
class Items:
    """Is the items that an UNNEST in FROM gives.

    A list of objects is stored as a list of JSON texts. Its type in SQL is JSON[], and the engine parses each text
    to make it so, then again for each key; a key can be had from the text itself.

    Attributes:
        call: the UNNEST.
        whole: whether an item is asked for as a whole, which must have the type JSON.
    """

    call: exp.Expr
    whole: bool = False

    def take_as_text(self) -> None:
        """Leaves the texts of the list as they are, if nothing asks for more than their keys."""
        if self.whole:
            return
        for cast in list(self.call.find_all(exp.Cast)):
            is_argument = cast.parent is self.call or isinstance(cast.parent, exp.Explode)
            if is_argument and cast.to == _TEXTS and isinstance(cast.this, exp.Column):
                cast.replace(cast.this)


_TEXTS = exp.DataType.build("JSON[]", dialect="duckdb")
