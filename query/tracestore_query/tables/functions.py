"""The functions that stand in FROM. A new one is one entry of `FUNCTIONS`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tracestore_query.tables.compare import compare, trial_scores
from tracestore_query.tables.dataset import dataset
from tracestore_query.tables.meaning import Meaning
from tracestore_query.tables.span_filters import experiment, project_logs


@dataclass(frozen=True, slots=True)
class TableFunction:
    """A function that stands in FROM.

    Attributes:
        reads: the stored table whose rows it reads.
        gives_stored_rows: whether each of its rows is one stored row, so that bounds of the query hold for these.
        meaning: returns what a call means.
    """

    reads: str
    gives_stored_rows: bool
    meaning: Meaning


FUNCTIONS: Final = {
    "compare": TableFunction("spans", gives_stored_rows=False, meaning=compare),
    "dataset": TableFunction("dataset_rows", gives_stored_rows=True, meaning=dataset),
    "experiment": TableFunction("spans", gives_stored_rows=True, meaning=experiment),
    "project_logs": TableFunction("spans", gives_stored_rows=True, meaning=project_logs),
    "trial_scores": TableFunction("spans", gives_stored_rows=False, meaning=trial_scores),
}
"""The functions by name."""
