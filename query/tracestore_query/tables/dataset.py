"""`dataset('name'[, version or snapshot[, 'project']])`: which stored rows it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from tracestore.store import Dataset
from tracestore_query.errors import UnknownNameError
from tracestore_query.language.allow_list import nearest
from tracestore_query.tables.names import quoted
from tracestore_query.tables.predicate import AtMost, Condition, Equals, NoneOf, Predicate

USAGE = "dataset('name'[, version or 'snapshot'[, 'project']])"


@dataclass(frozen=True, slots=True)
class WantedDataset:
    """A dataset as of a version.

    Attributes:
        predicate: true of rows of the dataset that a version up to it wrote.
        newest_only: whether rows were replaced or deleted, so that only the newest of each id counts.
        time_range: nanoseconds [start, stop) in which all these rows were written.
    """

    predicate: Predicate
    newest_only: bool
    time_range: tuple[int, int]


def wanted_dataset(arguments: Sequence[exp.Expr], datasets: Sequence[Dataset]) -> WantedDataset:
    """Returns what a call of `dataset` means.

    Args:
        arguments: of the call.
        datasets: those that the query may see.

    Raises:
        UnknownNameError: naming the nearest dataset, or the project to choose.
        UnknownDatasetError: where the dataset has no such version or snapshot.
    """
    values = [_value(each) for each in arguments]
    name = values[0] if values else None
    wanted = values[1] if len(values) > 1 else None
    project = values[2] if len(values) > 2 else None
    if not isinstance(name, str) or len(values) > 3 or isinstance(project, int):
        raise _misused()
    found = [each for each in datasets if each.name == name and project in {None, each.project}]
    if not found:
        known = [each.name for each in datasets]
        raise UnknownNameError(f"cannot run query: unknown dataset {name!r}{nearest(name, known)}")
    if len(found) > 1:
        projects = ", ".join(each.project for each in found)
        raise UnknownNameError(
            f"cannot run query: dataset {name!r} is in the projects {projects}; "
            f"write which: dataset({quoted(name)}, NULL, {quoted(found[0].project)})"
        )
    return _as_of(found[0], found[0].at(wanted))


def _as_of(dataset: Dataset, version: int) -> WantedDataset:
    conditions: list[Condition] = [
        Equals("dataset_id", dataset.dataset_id),
        AtMost("version", version),
    ]
    abandoned = dataset.abandoned(version)
    if abandoned:
        conditions.append(NoneOf("version", tuple(abandoned)))
    until = [each for each in dataset.versions if each.version <= version]
    newest_only = any(each.updated or each.deleted for each in until)
    stop = until[-1].created_ns + 1 if until else dataset.created_ns
    return WantedDataset(tuple(conditions), newest_only, (dataset.created_ns, stop))


def _value(node: exp.Expr) -> str | int | None:
    if isinstance(node, exp.Null):
        return None
    if isinstance(node, exp.Literal) and (node.is_string or node.is_int):
        return str(node.this) if node.is_string else int(str(node.this))
    raise _misused()


def _misused() -> UnknownNameError:
    return UnknownNameError(
        f"cannot run query: dataset() takes a name in quotes and a version; want {USAGE}"
    )
