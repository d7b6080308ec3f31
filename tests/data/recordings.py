"""What SDKs sent over OTLP, recorded once on a stub of the models; `sdks/README.md` beside it says which and how."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import zstandard
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from kernels import reference_otlp

if TYPE_CHECKING:
    from tracestore import Store

FOLDER: Final = Path(__file__).parent / "sdks"
LEVEL: Final = 19  # small files, which are written once
NAMES: Final = sorted({path.name.split(".")[0] for path in FOLDER.glob("*.traces.*.zst")})


def body(name: str, signal: str = "traces") -> tuple[bytes, str] | None:
    """Returns a recording's request and its content type; None where it has none of that signal."""
    for suffix, content_type in (("pb", "application/x-protobuf"), ("json", "application/json")):
        path = FOLDER / f"{name}.{signal}.{suffix}.zst"
        if path.exists():
            data = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
            return data, content_type
    return None


def write(name: str, signal: str, data: bytes) -> None:
    """Keeps a request, as protobuf, as a recording."""
    packed = zstandard.ZstdCompressor(level=LEVEL).compress(data)
    (FOLDER / f"{name}.{signal}.pb.zst").write_bytes(packed)


def traces(name: str) -> ExportTraceServiceRequest:
    """Returns a recording's spans."""
    found = body(name)
    assert found is not None, name
    data, content_type = found
    if content_type == "application/json":
        message = reference_otlp.decode_json(data, "traces")
        assert isinstance(message, ExportTraceServiceRequest)
        return message
    request = ExportTraceServiceRequest()
    request.ParseFromString(data)
    return request


def replay(store: Store, name: str) -> None:
    """Sends a recording to a store: its log records first, since they may come first."""
    for signal in ("logs", "traces"):
        found = body(name, signal)
        if found is not None:
            data, content_type = found
            assert store.ingest_otlp(data, signal, content_type=content_type).rejected == []
