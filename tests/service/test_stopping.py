"""SIGTERM during load: what was acknowledged is there, once, and the server ends by itself."""

from __future__ import annotations

import threading
from pathlib import Path

import grpc
import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import tracestore
from data import processes

SENDERS = 4
SPANS = 50
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def body(sender: int, number: int) -> bytes:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for i in range(SPANS):
        span = scope.spans.add(name="work", trace_id=(sender + 1).to_bytes(16, "big"))
        span.span_id = (number * SPANS + i + 1).to_bytes(8, "big")
        span.start_time_unix_nano = 1_700_000_000_000_000_000
    data: bytes = request.SerializeToString()
    return data


def send_http(url: str, sender: int, acknowledged: list[int], enough: threading.Event) -> None:
    with httpx.Client(base_url=url, timeout=processes.HANG_S) as http:
        headers = {"content-type": "application/x-protobuf"}
        for number in range(100_000):
            try:
                answer = http.post("/v1/traces", content=body(sender, number), headers=headers)
            except httpx.HTTPError:
                return
            if answer.status_code != 200:
                return
            acknowledged[sender] = number + 1
            if number == 20:
                enough.set()


def send_grpc(address: str, sender: int, acknowledged: list[int], enough: threading.Event) -> None:
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(EXPORT)
        for number in range(100_000):
            try:
                call(body(sender, number), timeout=processes.HANG_S)
            except grpc.RpcError:
                return
            acknowledged[sender] = number + 1
            if number == 20:
                enough.set()


def test_sigterm_during_load_loses_nothing_acknowledged(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    acknowledged = [0] * SENDERS
    enough = threading.Event()
    with processes.serving(folder, "--grpc-port", "0") as server:
        threads = [
            threading.Thread(
                target=send_grpc if sender % 2 else send_http,
                args=(
                    server.grpc_address if sender % 2 else server.url,
                    sender,
                    acknowledged,
                    enough,
                ),
            )
            for sender in range(SENDERS)
        ]
        for thread in threads:
            thread.start()
        try:
            assert enough.wait(processes.HANG_S)
            assert server.stop() == 0
        finally:
            # Senders end once nobody answers.
            processes.end(server.process)
            for thread in threads:
                thread.join()
    with tracestore.open(folder) as store:
        for sender in range(SENDERS):
            row = store.sql(
                "SELECT count(*) AS rows, count(DISTINCT span_id) AS ids FROM spans "
                "WHERE trace_id = $id AND span_id <= $last",
                {
                    "id": f"{sender + 1:032x}",
                    "last": f"{acknowledged[sender] * SPANS:016x}",
                },
            ).rows()[0]
            assert row == {
                "rows": acknowledged[sender] * SPANS,
                "ids": acknowledged[sender] * SPANS,
            }
