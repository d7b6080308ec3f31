"""`dataset('name'[, version or snapshot[, 'project']])`: the rows of a version of a dataset."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tracestore.store import Dataset
from tracestore_query.errors import UnknownNameError
from tracestore_query.language.allow_list import nearest
from tracestore_query.tables.meaning import StoredRows, StoreFacts
from tracestore_query.tables.names import quoted
from tracestore_query.tables.predicate import AtMost, Condition, Equals, NoneOf

USAGE = "dataset('name'[, version or 'snapshot'[, 'project']])"


def dataset(arguments: Sequence[exp.Expr], facts: StoreFacts) -> StoredRows:
    """Returns the rows of a dataset as of a version.

    Args:
        arguments: of the call.
        facts: the datasets that the query may see.

    Raises:
        UnknownNameError: naming the nearest dataset, or the project to choose.
        UnknownDatasetError: where the dataset has no such version or snapshot.
    """
    values = [_value(argument) for argument in arguments]
    name = values[0] if values else None
    version = values[1] if len(values) > 1 else None
    project = values[2] if len(values) > 2 else None
    if not isinstance(name, str) or len(values) > 3 or isinstance(project, int):
        raise _misused()
    named = [
        each for each in facts.datasets if each.name == name and project in {None, each.project}
    ]
    if not named:
        known = [each.name for each in facts.datasets]
        raise UnknownNameError(f"cannot run query: unknown dataset {name!r}{nearest(name, known)}")
    if len(named) > 1:
        projects = ", ".join(each.project for each in named)
        raise UnknownNameError(
            f"cannot run query: dataset {name!r} is in the projects {projects}; "
            f"write which: dataset({quoted(name)}, NULL, {quoted(named[0].project)})"
        )
    return _as_of(named[0], named[0].at(version))


def _as_of(dataset: Dataset, version: int) -> StoredRows:
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
    time_range = (dataset.created_ns, stop)
    return StoredRows("dataset_rows", tuple(conditions), newest_only, time_range)


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
