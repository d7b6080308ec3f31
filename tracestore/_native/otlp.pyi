from typing import Any

from tracestore._native.builder import Builder

def append_otlp(
    builder: Builder,
    payload: bytes | bytearray | memoryview,
    json: Any,
    project: bytes | None,
    experiment: bytes | None,
    only_project: bytes | None,
) -> tuple[int, list[tuple[int, int, str]], int, int]: ...
def otlp_projects(payload: bytes | bytearray | memoryview, json: Any, logs: Any) -> list[bytes | None]: ...
