"""Measures the shredder: `make bench`, or `python -m bench.shred [--quick]`."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.datagen import events, spans
from bench.report import Result, interleaved, keep, middle, show
from bench.shred import baselines
from tracestore.variant import Shredder

if TYPE_CHECKING:
    from collections.abc import Callable

QUESTION = "shred"
PROTOBUF_STACK = "python-protobuf + dicts + pyarrow"
ORJSON_STACK = "orjson + flattening + pyarrow"


@dataclass(frozen=True, slots=True)
class Workload:
    """The bodies to shred, and the Python way to do the same."""

    name: str
    bodies: list[bytes]
    rows: int
    shred: Callable[[list[bytes]], Any]
    stack: str
    stack_version: str
    baseline: Callable[[list[bytes]], Any]
    strings: bytes  # the UTF-8 text among the bytes, for the cost of checking it


def shred_otlp(bodies: list[bytes]) -> Any:
    """Returns the table of OTLP bodies: shredded, and finished for a segment."""
    shredder = Shredder(table="spans")
    for body in bodies:
        shredder.append_otlp(body, signal="traces")
    return shredder.finish()


def shred_ndjson(batches: list[bytes]) -> Any:
    """Returns the table of NDJSON batches."""
    shredder = Shredder(table="json")
    for batch in batches:
        shredder.append_json(batch)
    return shredder.finish()


def append_otlp(bodies: list[bytes]) -> Any:
    """Appends OTLP bodies and leaves them in the builder: what a request waits for."""
    shredder = Shredder(table="spans")
    for body in bodies:
        shredder.append_otlp(body, signal="traces")
    return shredder


def append_ndjson(batches: list[bytes]) -> Any:
    """Appends NDJSON batches and leaves them in the builder."""
    shredder = Shredder(table="json")
    for batch in batches:
        shredder.append_json(batch)
    return shredder


def strings_of(bodies: list[bytes]) -> bytes:
    """Returns the text of keys and values of OTLP bodies, joined."""
    parts: list[str] = []
    for body in bodies:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scoped in group.scope_spans:
                for span in scoped.spans:
                    parts.append(span.name)
                    for pair in span.attributes:
                        parts += [pair.key, pair.value.string_value]
    return "".join(parts).encode()


def workloads(scale: float) -> list[Workload]:
    """Returns the workloads; scale 1 is about 10 MB each."""
    small = spans.small_spans(int(16_384 * scale))
    large = spans.llm_spans(int(192 * scale) or 1)
    rows = events.ndjson(int(20_000 * scale))
    protobuf, fast_json = f"protobuf {version('protobuf')}", f"orjson {version('orjson')}"
    otlp = (shred_otlp, PROTOBUF_STACK, protobuf, baselines.protobuf_spans)
    return [
        Workload("small OTLP spans", small, int(16_384 * scale), *otlp, strings_of(small)),
        Workload("50 KB LLM spans", large, int(192 * scale) or 1, *otlp, strings_of(large)),
        Workload(
            "NDJSON events",
            rows,
            int(20_000 * scale),
            shred_ndjson,
            ORJSON_STACK,
            fast_json,
            baselines.orjson_rows,
            b"".join(rows),
        ),
    ]


def copies(bodies: list[bytes]) -> None:
    """Copies the bytes once into memory of its own: the floor of any work on them."""
    for body in bodies:
        bytearray(body)


def measure(load: Workload, rounds: int) -> list[Result]:
    """Returns the numbers of one workload."""
    size_mb = sum(map(len, load.bodies)) / 1e6
    append = append_ndjson if load.shred is shred_ndjson else append_otlp
    times = interleaved(
        {
            "tracestore": lambda: load.shred(load.bodies),
            load.stack: lambda: load.baseline(load.bodies),
            "tracestore, append only": lambda: append(load.bodies),
            "memcpy": lambda: copies(load.bodies),
            "UTF-8 check of its text": load.strings.decode,
        },
        rounds,
    )
    versions = {"tracestore": version("tracestore"), load.stack: load.stack_version}
    results = []

    def add(system: str, metric: str, values: list[float], unit: str) -> None:
        value, spread = middle(values)
        found = versions.get(system, platform.python_version())
        results.append(Result(load.name, QUESTION, system, found, metric, value, unit, spread))

    for system, values in times.items():
        add(system, "throughput", [size_mb / s for s in values], "MB/s")
    for system in ("tracestore", load.stack):
        add(system, "rows", [load.rows / s / 1e3 for s in times[system]], "k rows/s")
    pairs = zip(times[load.stack], times["tracestore"], strict=True)
    add("tracestore", f"times faster than {load.stack}", [b / a for b, a in pairs], "x")
    return results


def main() -> None:
    """Runs every workload and prints the results."""
    quick = "--quick" in sys.argv[1:]
    results = []
    for load in workloads(0.05 if quick else 1):
        results += measure(load, rounds=2 if quick else 9)
    print(f"{platform.machine()}, Python {platform.python_version()}, one thread, warm\n")
    keep(results, "shred", quick=quick)
    show(results)


if __name__ == "__main__":
    main()
