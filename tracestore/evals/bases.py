"""Which earlier run a run is compared with, and which runs were whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

RUNNING: Final = "running"
DONE: Final = "done"
INTERRUPTED: Final = "interrupted"

PLAY: Final = "play"
"""The key of an experiment's metadata under which a run of Play says whether somebody keeps it."""

STATE: Final = "eval"
"""The key of an experiment's metadata under which its state stands, where it is not done: a run that was killed is
`running` for ever."""


def with_state(metadata: Mapping[str, Any] | None, state: str) -> dict[str, Any]:
    """Returns the metadata of an experiment that is in a state; one that is done has the user's alone."""
    told = {} if state == DONE else {STATE: {"state": state}}
    return {**(metadata or {}), **told}


def chosen(
    target: Any, project: str, name: str, wanted: str | None, dataset: str | None
) -> tuple[str, str] | None:
    """Returns the run to compare an experiment with and why it is this one, None where there is none.

    Args:
        target: a client or a store.
        project: of the experiments.
        name: the experiment.
        wanted: the run that the user named, None where none was.
        dataset: what its cases came from, None where it is no dataset.

    Runs that were interrupted, or are under way, are no base, and neither are those of Play that nobody keeps.
    """
    if wanted is not None:
        return wanted, "as asked for"
    whole = [record for record in _newest_first(target, project) if _is_whole(record, name)]
    if dataset is not None:
        for record in whole:
            if record["dataset"] == dataset:
                return record["name"], f"the last run on dataset {dataset}"
    shared = _with_shared_inputs(target, project, name)
    for record in whole:
        if record["name"] in shared:
            return record[
                "name"
            ], f"the last run that shares inputs, {shared[record['name']]} of them"
    return None


def _newest_first(target: Any, project: str) -> list[dict[str, Any]]:
    answer = target.sql(
        "SELECT name, dataset, metadata FROM experiments WHERE project = $project "
        "ORDER BY coalesce(created, start_time) DESC, name",
        {"project": project},
    )
    return list(answer.rows())


def _is_whole(record: Mapping[str, Any], name: str) -> bool:
    if record["name"] == name:
        return False
    metadata = record["metadata"]
    told = metadata.get(STATE) if isinstance(metadata, Mapping) else None
    play = metadata.get(PLAY) if isinstance(metadata, Mapping) else None
    if isinstance(play, Mapping) and play.get("kept") is False:
        return False
    return not isinstance(told, Mapping) or told.get("state") not in (RUNNING, INTERRUPTED)


def _with_shared_inputs(target: Any, project: str, name: str) -> dict[str, int]:
    """Returns the experiments that have inputs of this one, and how many."""
    answer = target.sql(
        "SELECT experiment, count(DISTINCT input_key) AS inputs FROM spans "
        "WHERE project = $project AND is_root AND experiment <> $name AND input_key IN ("
        "SELECT input_key FROM spans WHERE project = $project AND is_root AND experiment = $name) "
        "GROUP BY experiment",
        {"project": project, "name": name},
    )
    return {row["experiment"]: row["inputs"] for row in answer.rows()}
