"""The cases of compared experiments, as columns: what is summed of them, and those that fell most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.arrow_compute import pc
from tracestore_query.tables.compare import SAME

METRICS: Final = ("duration", "tokens", "prompt_tokens", "completion_tokens", "cost")
"""What is summed beside scores: seconds of the case, and tokens and cost of its trace without its scorers."""

WHOLE: Final = -1
"""The number of all groups together."""

_SAME: Final = float(SAME)

Numbers = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Cases:
    """The cases of one experiment in one group: their numbers, and the row that each has in the table."""

    codes: Numbers
    rows: Numbers


class ComparedCases:
    """The cases of experiments by number, and the means of their scores.

    Args:
        names: of the experiments, the baseline first.
        table: a row for each case and for each score of a case, of the whole and of each group.
    """

    def __init__(self, names: Sequence[str], table: pa.Table) -> None:
        self._names = names
        table = table.combine_chunks()
        of_case = pc.is_null(table["score"])
        self._table = table.filter(of_case)
        # Sorted, so that cases that changed alike come in the same order each time.
        self._keys = pc.unique(self._table["case_key"]).sort()
        self._group_names: list[str | None] = sorted(
            pc.unique(
                self._table.filter(pc.equal(self._table["is_whole"], 0))["grouped"]
            ).to_pylist(),
            key=lambda name: (name is None, name or ""),
        )
        self._cases = self._parted(self._table)
        self._read_scores(table.filter(pc.invert(of_case)))
        self._at = {name: _numbers(self._table[name]) for name in ("trials", "errors")}

    def has_cases(self, run: int) -> bool:
        """Tells whether an experiment has any case."""
        return (run, WHOLE) in self._cases

    def groups(self) -> list[tuple[int, str | None]]:
        """Returns the groups by number, in order of their names."""
        return list(enumerate(self._group_names))

    def summaries(self, group: int = WHOLE) -> list[dict[str, Any]]:
        """Returns what is to be told of each experiment, of one group or of the whole."""
        return [self._summary(run, group) for run in range(len(self._names))]

    def _parted(self, table: pa.Table) -> dict[tuple[int, int], _Cases]:
        codes = _numbers(pc.index_in(table["case_key"], value_set=self._keys))
        rows = np.arange(table.num_rows)
        return {
            (int(run), int(group)): _Cases(codes[at], rows[at])
            for (run, group), at in _by(self._runs_of(table), self._groups_of(table))
        }

    def _read_scores(self, table: pa.Table) -> None:
        """Reads the means: by experiment, group and score the numbers of its cases and their values."""
        self._scores = sorted(pc.unique(table["score"]).to_pylist())
        codes = _numbers(pc.index_in(table["case_key"], value_set=self._keys))
        values = table["value"].to_numpy()
        scores = _numbers(
            pc.index_in(table["score"], value_set=pa.array(self._scores, pa.string()))
        )
        self._means: dict[tuple[int, int, int], tuple[Numbers, Values]] = {
            (int(run), int(group), int(score)): (codes[at], values[at])
            for (run, group, score), at in _by(self._runs_of(table), self._groups_of(table), scores)
        }

    def _runs_of(self, table: pa.Table) -> Numbers:
        return _numbers(pc.index_in(table["run"], value_set=pa.array(self._names, pa.string())))

    def _groups_of(self, table: pa.Table) -> Numbers:
        names = pa.array(self._group_names, pa.string())
        groups = _numbers(pc.index_in(table["grouped"].cast(pa.string()), value_set=names))
        return np.where(_numbers(table["is_whole"]) == 0, groups, WHOLE)

    def _summary(self, run: int, group: int) -> dict[str, Any]:
        cases = self._cases.get((run, group), _NO_CASES)
        summary: dict[str, Any] = {
            "name": self._names[run],
            "cases": len(cases.codes),
            "trials": int(self._at["trials"][cases.rows].sum()),
            "errors": int(self._at["errors"][cases.rows].sum()),
            "scores": self._averages(run, group),
            "metrics": self._metrics(cases),
        }
        if run:
            baseline = self._cases.get((0, group), _NO_CASES)
            common = len(np.intersect1d(cases.codes, baseline.codes, assume_unique=True))
            summary["new_cases"] = len(cases.codes) - common
            summary["missing_cases"] = len(baseline.codes) - common
            summary["against_baseline"] = self._against(run, group)
        return summary

    def _averages(self, run: int, group: int) -> dict[str, float]:
        return {
            name: float(means[1].mean())
            for score, name in enumerate(self._scores)
            if (means := self._means.get((run, group, score))) is not None
        }

    def _metrics(self, cases: _Cases) -> dict[str, dict[str, float]]:
        """Returns the sum over all trials, and the mean of a trial."""
        found = {}
        for name in METRICS:
            count = int(_numbers(self._table[f"count_{name}"])[cases.rows].sum())
            if count:
                total = float(np.nansum(self._doubles(f"sum_{name}")[cases.rows]))
                found[name] = {"sum": total, "mean": total / count}
        return found

    def _doubles(self, name: str) -> Values:
        column: Values = self._table[name].cast(pa.float64()).to_numpy()
        return column

    def _against(self, run: int, group: int) -> dict[str, dict[str, Any]]:
        """Returns, for each score, what became of the cases that both have scored."""
        found = {}
        for score, name in enumerate(self._scores):
            _, differences = self._differences(run, group, score)
            if len(differences):
                found[name] = {
                    "difference": float(differences.mean()),
                    "improvements": int((differences > _SAME).sum()),
                    "regressions": int((differences < -_SAME).sum()),
                    "unchanged": int((np.abs(differences) <= _SAME).sum()),
                }
        return found

    def _differences(self, run: int, group: int, score: int) -> tuple[Numbers, Values]:
        """Returns the cases that both an experiment and the baseline have scored, and the differences."""
        codes, after = self._means.get((run, group, score), _NO_MEANS)
        base_codes, before = self._means.get((0, group, score), _NO_MEANS)
        common, at, base_at = np.intersect1d(
            codes, base_codes, assume_unique=True, return_indices=True
        )
        return common, after[at] - before[base_at]

    def listed(self, most: int) -> list[dict[str, Any]]:
        """Returns the cases that fell most, as dicts; each with its trials in the experiments that have it."""
        ranked = np.argsort(self._worst(), kind="stable")[:most]
        place = {int(code): at for at, code in enumerate(ranked)}
        keys = self._keys.take(pa.array(ranked)).to_pylist()
        found: list[dict[str, Any]] = [
            {"key": key, "input_key": None, "name": None, "group": None, "experiments": {}}
            for key in keys
        ]
        groups = self._group_of_case()
        for run in range(len(self._names)):
            self._list_run(run, place, found, groups)
        return found

    def _worst(self) -> Values:
        """Returns the greatest fall of a score of each case against the baseline, as a negative number."""
        worst = np.zeros(len(self._keys))
        is_first = np.ones(len(self._keys), dtype=bool)
        for run in range(1, len(self._names)):
            for score in range(len(self._scores)):
                codes, differences = self._differences(run, WHOLE, score)
                worst[codes] = np.where(
                    is_first[codes], differences, np.minimum(worst[codes], differences)
                )
                is_first[codes] = False
        return worst

    def _group_of_case(self) -> dict[int, str | None]:
        """Returns the first group of each case."""
        found: dict[int, str | None] = {}
        for (_, group), cases in sorted(self._cases.items()):
            if group != WHOLE:
                for code in cases.codes.tolist():
                    found.setdefault(code, self._group_names[group])
        return found

    def _list_run(
        self,
        run: int,
        place: dict[int, int],
        found: list[dict[str, Any]],
        groups: dict[int, str | None],
    ) -> None:
        cases = self._cases[run, WHOLE]
        wanted = np.fromiter(
            (code in place for code in cases.codes.tolist()), bool, len(cases.codes)
        )
        codes = cases.codes[wanted].tolist()
        rows = self._table.take(pa.array(cases.rows[wanted])).to_pylist()
        scores = self._scores_of(run, place)
        name = self._names[run]
        for code, row in zip(codes, rows, strict=True):
            case = found[place[code]]
            if case["name"] is None:
                case |= {
                    "input_key": row["input_key"],
                    "name": row["first"]["name"],
                    "group": groups.get(code),
                }
            case["experiments"][name] = shown = _shown(row, scores.get(code, {}))
            if run:
                base = case["experiments"].get(self._names[0], {}).get("scores", {})
                shown["difference"] = {
                    score: value - base[score]
                    for score, value in shown["scores"].items()
                    if score in base
                }

    def _scores_of(self, run: int, place: dict[int, int]) -> dict[int, dict[str, float]]:
        found: dict[int, dict[str, float]] = {}
        for score, name in enumerate(self._scores):
            codes, values = self._means.get((run, WHOLE, score), _NO_MEANS)
            for code, value in zip(codes.tolist(), values.tolist(), strict=True):
                if code in place:
                    found.setdefault(code, {})[name] = value
        return found


_NO_CASES: Final = _Cases(np.array([], np.int64), np.array([], np.int64))
_NO_MEANS: Final = (np.array([], np.int64), np.array([], np.float64))


def _shown(row: dict[str, Any], scores: dict[str, float]) -> dict[str, Any]:
    return {
        "trace_id": row["first"]["trace"],
        "span_id": row["first"]["span"],
        "trace_ids": row["trace_ids"],
        "trials": row["trials"],
        "errors": row["errors"],
        "scores": scores,
        "metrics": {
            metric: float(row[f"sum_{metric}"]) / row[f"count_{metric}"]
            for metric in METRICS
            if row[f"count_{metric}"]
        },
    }


def _numbers(column: pa.ChunkedArray) -> Numbers:
    numbers: Numbers = pc.fill_null(column.cast(pa.int64()), WHOLE).to_numpy()
    return numbers


def _by(*keys: Numbers) -> list[tuple[tuple[int, ...], Numbers]]:
    """Returns, for each combination of keys, the places that have it, in order."""
    if not len(keys[0]):
        return []
    order = np.lexsort(keys[::-1])
    ordered = np.stack([key[order] for key in keys])
    starts = np.flatnonzero(np.any(ordered[:, 1:] != ordered[:, :-1], axis=0)) + 1
    parts = np.split(order, starts)
    return [(tuple(int(key[part[0]]) for key in keys), np.sort(part)) for part in parts]
