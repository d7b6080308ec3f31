"""Sends spans until its time is up; prints what was acknowledged: `python -m bench.service.sender URL SECONDS SEED`."""

from __future__ import annotations

import json
import sys
import time

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.datagen import spans

HEADERS = {"content-type": "application/x-protobuf"}
BUSY = 503


class Template:
    """A request whose spans can be given new ids and times without encoding it anew."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        spans = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans
        self._places = [body.index(b"\x12\x08" + span.span_id) + 2 for span in spans]
        self._times = []
        for span, place in zip(spans, self._places, strict=True):
            for tag, time_ns in (
                (b"\x39", span.start_time_unix_nano),
                (b"\x41", span.end_time_unix_nano),
            ):
                at = body.index(tag + time_ns.to_bytes(8, "little"), place) + 1
                self._times.append((at, time_ns))
        self._last_ns = max(time_ns for _, time_ns in self._times)
        self.spans = len(spans)

    def renewed(self, number: int) -> bytes:
        """Returns the request with span ids that no other number gives; its spans end by now, as an exporter's do."""
        body = bytearray(self._body)
        first = (number + 1) * 4096
        for i, place in enumerate(self._places):
            body[place : place + 8] = (first + i).to_bytes(8, "big")
        later_ns = time.time_ns() - self._last_ns
        for place, time_ns in self._times:
            body[place : place + 8] = (time_ns + later_ns).to_bytes(8, "little")
        return bytes(body)


def main() -> None:
    """Sends requests whose span ids are all different, one after the other."""
    url, seconds, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    headers = {**HEADERS, **(json.loads(sys.argv[4]) if len(sys.argv) > 4 else {})}
    templates = [
        Template(body) for body in spans.small_spans(spans.SPANS_PER_REQUEST * 8, seed=seed)
    ]
    acknowledged = 0
    ack_ms: list[float] = []
    with httpx.Client(base_url=url, timeout=60) as http:
        started = time.perf_counter()
        number = 0
        while time.perf_counter() - started < seconds:
            template = templates[number % len(templates)]
            body = template.renewed(seed * 1_000_000_000 + number)
            sent = time.perf_counter()
            answer = http.post("/v1/traces", content=body, headers=headers)
            if answer.status_code == BUSY:
                time.sleep(0.1)
                continue
            answer.raise_for_status()
            ack_ms.append((time.perf_counter() - sent) * 1000)
            acknowledged += template.spans
            number += 1
        taken = time.perf_counter() - started
    print(json.dumps({"spans": acknowledged, "seconds": taken, "ack_ms": ack_ms}))


if __name__ == "__main__":
    main()
