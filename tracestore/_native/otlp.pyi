from typing import Any

from tracestore._native.builder import Builder
from tracestore._native.conventions import Conventions

def append_otlp(
    builder: Builder,
    payload: bytes | bytearray | memoryview,
    json: Any,
    project: bytes | None,
    experiment: bytes | None,
    only_project: bytes | None,
    conventions: Conventions | None,
    arrived_ns: int = 0,
) -> tuple[int, list[tuple[int, int, str]], int, int]: ...
def otlp_projects(
    payload: bytes | bytearray | memoryview, json: Any, logs: Any
) -> list[bytes | None]: ...
