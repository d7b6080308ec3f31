"""A cell: one row in one column. What it gave is a case of the column's experiment, and is read back from there."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from tracestore.play.own_queries import OwnQueries
from tracestore.play.runs.body import digest

State: TypeAlias = Literal["none", "waiting", "running", "done", "failed"]

SHOWN_CHARACTERS: Final = 20_000
"""Characters of an output that a cell shows; its span has all of it."""

MAX_CELLS: Final = 50_000
"""Cells that are read back of a play: eight experiments with a thousand rows, run six times each."""

ATTRIBUTE: Final = "tracestore.play"

_CELLS: Final = f"""
    SELECT experiment, trace_id, span_id, output, error, scores, attributes."{ATTRIBUTE}" AS play
    FROM spans
    WHERE list_contains($experiments, experiment) AND is_root
      AND attributes."{ATTRIBUTE}".play = $play
    ORDER BY start_ns"""  # noqa: S608 - a name of our own

CellId: TypeAlias = tuple[str, str]
"""Column and row."""


@dataclass(slots=True)
class Cell:
    """One cell as it is known.

    Attributes:
        key: what column, row and scorers were when it ran.
        output: of the run, cut where it is long.
        output_characters: of the whole output as text.
        cost: in dollars, None where it is not known.
        seconds: of the run without its scorers.
    """

    column: str
    row: str
    state: State = "none"
    key: str = ""
    experiment: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    output: Any = None
    output_characters: int = 0
    error: str | None = None
    scores: dict[str, float | None] = field(default_factory=dict)
    rationales: dict[str, str] = field(default_factory=dict)
    scorer_errors: dict[str, str] = field(default_factory=dict)
    usage: dict[str, int] = field(default_factory=dict)
    cost: float | None = None
    seconds: float | None = None
    time_to_first_token: float | None = None
    turns: int = 0
    missing: list[str] = field(default_factory=list)

    @property
    def cell_id(self) -> CellId:
        """Returns its column and row."""
        return self.column, self.row

    def shown(self, key: str | None = None) -> dict[str, Any]:
        """Returns it as the API gives it.

        Args:
            key: what column, row and scorers are now, None where that is not known.
        """
        names = (each for each in Cell.__dataclass_fields__ if each != "key")
        told = {name: getattr(self, name) for name in names}
        return {**told, "is_current": None if key is None else key == self.key}

    def note_output(self, output: Any) -> None:
        """Keeps an output, cut where it is long."""
        text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
        self.output_characters = len(text)
        self.output = output if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS]

    def summary(self, play: str) -> dict[str, Any]:
        """Returns what its case's span says of it, beside what it says itself."""
        told = {
            "play": play,
            "column": self.column,
            "row": self.row,
            "key": self.key,
            "usage": self.usage,
            "cost": self.cost,
            "seconds": self.seconds,
            "time_to_first_token": self.time_to_first_token,
            "turns": self.turns,
            "rationales": self.rationales,
            "scorer_errors": self.scorer_errors,
            "missing": self.missing,
        }
        return {name: value for name, value in told.items() if value not in (None, {}, [])}


def key_of(column_key: str, row_key: str) -> str:
    """Returns what tells a cell's run from those of another prompt, row or scorer."""
    return digest([column_key, row_key])


async def cells_of(
    play: str, experiments: Mapping[str, str], queries: OwnQueries, project: str
) -> dict[CellId, Cell]:
    """Returns the last result of each cell of a play.

    Args:
        play: the play.
        experiments: the experiment of each column that was run.
        queries: ask the store.
        project: whose play it is.
    """
    if not experiments:
        return {}
    params = {"experiments": sorted(set(experiments.values())), "play": play}
    rows = await queries.rows(_CELLS, params, project, MAX_CELLS)
    wanted = set(experiments.items())
    return {cell.cell_id: cell for cell in _read(rows) if (cell.column, cell.experiment) in wanted}


def _read(rows: Sequence[Mapping[str, Any]]) -> Iterator[Cell]:
    for row in rows:
        told = row["play"] or {}
        error = row["error"]
        message = error.get("message") if isinstance(error, Mapping) else error
        cell = Cell(
            str(told.get("column", "")),
            str(told.get("row", "")),
            "done" if error is None else "failed",
            str(told.get("key", "")),
            row["experiment"],
            row["trace_id"],
            row["span_id"],
            error=None if error is None else str(message),
            scores=_numbers(row["scores"]),
        )
        for name in ("rationales", "scorer_errors", "usage", "missing"):
            if isinstance(told.get(name), type(getattr(cell, name))):
                setattr(cell, name, told[name])
        for name in ("cost", "seconds", "time_to_first_token", "turns"):
            if isinstance(told.get(name), int | float):
                setattr(cell, name, told[name])
        if error is None:
            cell.note_output(row["output"])
        yield cell


def _numbers(scores: Any) -> dict[str, float | None]:
    if not isinstance(scores, Mapping):
        return {}
    return {
        name: value if isinstance(value, int | float) else None for name, value in scores.items()
    }


def unfinished(cells: Mapping[CellId, Cell], wanted: Collection[CellId]) -> list[CellId]:
    """Returns which of some cells have no result."""
    return [each for each in wanted if each not in cells or cells[each].state != "done"]
