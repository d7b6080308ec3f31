from tracestore._native.builder import Builder

def append_json(
    builder: Builder,
    payload: bytes | bytearray | memoryview,
    project: bytes | None,
    experiment: bytes | None,
    only_project: bytes | None,
) -> tuple[int, list[tuple[int, int, str]], int, int]: ...
