"""What `/metrics` tells: requests, rows, latencies, the process, the engine, and what the store does on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from tracestore.embedded import Store
from tracestore_ingest.admission import Admission
from tracestore_ingest.meter import IngestMeter

QUERY_BUCKETS_S: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

QUERY_ROUTES: Final = ("/api/query",)
"""Routes whose time is that of a statement."""

_WORK: Final = {
    "flushes": "Times that rows in memory were written to segments.",
    "flushed_rows": "Rows written by flushes.",
    "flushed_bytes": "Bytes written by flushes.",
    "merges": "Rewrites of segments: merges, deletes, and folds of patches and versions.",
    "merged_segments": "Segments that went into merges.",
    "merged_rows": "Rows that went into merges.",
    "merged_bytes": "Bytes of segments that went into merges.",
    "written_bytes": "Bytes of segments that merges wrote.",
}


class Meters:
    """The numbers of one server.

    Attributes:
        ingest: measures requests that bring data.
    """

    def __init__(self, store: Store, admission: Admission) -> None:
        # Times of creation, one beside each counter, tell nobody anything here.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library names no types here
        self._registry = CollectorRegistry()
        self.ingest = IngestMeter(self._registry)
        self._requests = Counter(
            "tracestore_http_requests_total",
            "Requests answered.",
            ["route", "status"],
            registry=self._registry,
        )
        self._query_seconds = Histogram(
            "tracestore_query_seconds",
            "From a statement's request until its answer is sent.",
            buckets=QUERY_BUCKETS_S,
            registry=self._registry,
        )
        ProcessCollector(namespace="tracestore", registry=self._registry)
        self._registry.register(_StoreCollector(store))
        self.add_gauges(_store_gauges(store, admission))

    def add_gauges(self, gauges: Mapping[str, tuple[str, Callable[[], float]]]) -> None:
        """Adds numbers by name: what each is, and what gives it."""
        for name, (text, read) in gauges.items():
            Gauge(name, text, registry=self._registry).set_function(read)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Counts an answer."""
        self._requests.labels(route, str(status)).inc()
        if route in QUERY_ROUTES and status < 400:
            self._query_seconds.observe(seconds)

    def text(self) -> bytes:
        """Returns all numbers in Prometheus' text format."""
        return generate_latest(self._registry)


class _StoreCollector(Collector):
    """The counts that a store keeps itself."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yields rows by project, and the store's own work."""
        counts = self._store.counts()
        rows = CounterMetricFamily(
            "tracestore_rows",
            "Spans and log records by what became of them.",
            labels=["table", "project", "outcome"],
        )
        for labels, value in sorted(counts.rows.items()):
            rows.add_metric(list(labels), value)
        yield rows
        refused = CounterMetricFamily(
            "tracestore_refused_rows",
            "Spans and log records refused, by why.",
            labels=["table", "project", "reason"],
        )
        for labels, value in sorted(counts.refused.items()):
            refused.add_metric(list(labels), value)
        yield refused
        odd = CounterMetricFamily(
            "tracestore_odd_rows",
            "Spans and log records kept though their times are odd: before 1973, or ending before they start.",
            labels=["table", "project", "kind"],
        )
        for labels, value in sorted(counts.odd.items()):
            odd.add_metric(list(labels), value)
        yield odd
        for name, text in _WORK.items():
            yield CounterMetricFamily(f"tracestore_{name}", text, value=counts.work.get(name, 0))


def _store_gauges(store: Store, admission: Admission) -> dict[str, tuple[str, Callable[[], float]]]:
    return {
        "tracestore_segments": ("Live segments.", lambda: store.stats().segments),
        "tracestore_segment_bytes": (
            "Bytes of live segments.",
            lambda: store.stats().segment_bytes,
        ),
        "tracestore_memory_rows": ("Rows in no segment yet.", lambda: store.stats().memory_rows),
        "tracestore_wal_bytes": ("Bytes of the write-ahead log.", lambda: store.stats().wal_bytes),
        "tracestore_ingest_bytes_in_flight": (
            "Bytes of requests under way.",
            lambda: admission.bytes_in_flight,
        ),
    }
