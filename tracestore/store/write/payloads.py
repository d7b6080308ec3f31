"""How a frame's payload becomes rows. Ingest and replay both go through here."""

from __future__ import annotations

import functools
from typing import Final

from tracestore import limits
from tracestore.content_types import JSON, PROTOBUF
from tracestore.errors import LimitExceededError, UnsupportedPayloadError
from tracestore.store.wal.frames import Frame
from tracestore.store.write.allowed_projects import AllowedProjects, check_projects
from tracestore.store.write.decompress import decompress
from tracestore.store.write.ingest import ProjectPart
from tracestore.store.write.wrong_signal import check_signal
from tracestore.variant import Report, Shredder, json_projects, otlp_projects

SIGNALS: Final = {"traces": "spans", "logs": "logs"}
_SIGNAL_OF: Final = {table: signal for signal, table in SIGNALS.items()}
_OTLP_TYPES: Final = (PROTOBUF, JSON)


def table_of(signal: str) -> str:
    """Returns the table of an OTLP signal; raises UnsupportedPayloadError."""
    if signal not in SIGNALS:
        raise UnsupportedPayloadError(
            f"cannot read payload: unexpected signal; got {signal!r}; want {', '.join(SIGNALS)}"
        )
    return SIGNALS[signal]


def normal_content_type(content_type: str) -> str:
    """Returns an OTLP content type without parameters; raises UnsupportedPayloadError."""
    name = content_type.partition(";")[0].strip().lower()
    name = {"application/protobuf": PROTOBUF}.get(name, name)
    if name not in _OTLP_TYPES:
        raise UnsupportedPayloadError(
            f"cannot read payload: unexpected content type; got {content_type!r}; want "
            f"{' or '.join(_OTLP_TYPES)}"
        )
    return name


def check_name(name: str | None, what: str) -> None:
    """Raises LimitExceededError for a project or experiment name that is empty or too long."""
    if name is None:
        return
    size = len(name.encode("utf-8", "surrogatepass"))
    if not 1 <= size <= limits.MAX_NAME_BYTES:
        raise LimitExceededError(
            f"cannot write to {what} {name[:40]!r}: its name has {size} bytes; want 1 to "
            f"{limits.MAX_NAME_BYTES}"
        )


def project_parts(
    frame: Frame, max_bytes: int, allowed: AllowedProjects = None
) -> list[ProjectPart]:
    """Returns the frame's rows by project, in order of project.

    Raises:
        PayloadError, LimitExceededError: where the payload cannot be read at all.
        ProjectForbiddenError: where some row is of a project that is not allowed.
    """
    payload = decompress(frame.payload, frame.content_encoding, max_bytes)
    if frame.kind == "otlp":
        signal = _SIGNAL_OF[frame.table]
        projects = sorted(
            otlp_projects(
                payload, signal=signal, content_type=frame.content_type, default=frame.project
            )
        )
        append = functools.partial(_append_otlp, frame, signal, payload)
    else:
        projects = sorted(json_projects(payload, table=frame.table, default=frame.project))
        append = functools.partial(_append_rows, frame, payload)
    for project in projects:
        check_name(project, "project")
    check_projects(projects, allowed)
    only = len(projects) > 1
    return [
        ProjectPart(
            name,
            functools.partial(append, name if only else None),
            payload,
            has_calls=frame.kind == "otlp" and frame.table == "spans",
        )
        for name in projects
    ]


def _append_otlp(
    frame: Frame, signal: str, payload: bytes, only_project: str | None, shredder: Shredder
) -> Report:
    first_row = shredder.rows
    report = shredder.append_otlp(
        payload,
        signal=signal,
        content_type=frame.content_type,
        project=frame.project,
        experiment=frame.experiment,
        only_project=only_project,
        arrived_ns=frame.received_ns,
    )
    has_rows = shredder.rows > first_row or report.rejected_rows > 0
    if frame.content_type == JSON and not has_rows:
        check_signal(payload, signal)
    return report


def _append_rows(
    frame: Frame, payload: bytes, only_project: str | None, shredder: Shredder
) -> Report:
    return shredder.append_json(
        payload, project=frame.project, experiment=frame.experiment, only_project=only_project
    )
