"""Computes what many nodes do to one catalog: `python -m bench.scale.simulation`.

Flushes and merges of one day are played through second by second, by the rule that chooses merges in the store
(`rewrite/policy.py`); what a day of each project costs is then added up. Nothing is written.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tracestore import limits
from tracestore.store.rewrite.policy import MergePolicy

RAW_BYTES: Final = 400
STORED_BYTES: Final = 60
"""Bytes of a span in memory and in a segment: between those of chats and of calls (bench/store)."""

MERGE_S: Final = 1.5e-6
"""Seconds of a core that a merge takes for a row."""

CATALOG_BYTES: Final = 1100
"""Bytes of the catalog for a segment of 90 paths (bench/scale)."""

PROJECTS: Final = 100
DAY_S: Final = 86_400
DAY_NS: Final = DAY_S * 10**9
STEP_S: Final = 10


@dataclass(frozen=True, slots=True)
class Cluster:
    """What is given.

    Attributes:
        nodes: that take spans.
        spans: kept at once.
        days: that they are kept for.
        unit: how many times the merge unit is the usual one.
    """

    nodes: int
    spans: float
    days: int
    unit: int

    @property
    def rate(self) -> float:
        """Returns the spans a second of all nodes."""
        return self.spans / self.days / DAY_S

    @property
    def flush_s(self) -> float:
        """Returns the seconds between two flushes of a node: its memtables are full, or old."""
        own = self.rate / self.nodes
        return min(
            limits.FLUSH_SECONDS, limits.FLUSH_BYTES / RAW_BYTES / own, limits.FLUSH_ROWS / own
        )

    @property
    def policy(self) -> MergePolicy:
        """Returns the rule of merges of each node."""
        return MergePolicy(
            limits.COMPACTION_UNIT_ROWS * self.unit,
            limits.COMPACTION_UNIT_BYTES * self.unit,
            limits.COMPACTION_MIN_INPUTS,
        )

    def shares(self) -> Sequence[float]:
        """Returns the share of each project: the n-th has 1/n of the first one's."""
        weights = [1 / (number + 1) for number in range(PROJECTS)]
        return [weight / sum(weights) for weight in weights]


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment, as far as merges look at it. All are of one table, project and day."""

    segment_id: str
    rows: int
    table: str = "spans"
    project: str = "p"
    day: int = 0
    created_ns: int = 0

    @property
    def bytes(self) -> int:
        """Returns the size of its file."""
        return self.rows * STORED_BYTES

    @property
    def raw_bytes(self) -> int:
        """Returns the bytes of its rows in memory."""
        return self.rows * RAW_BYTES


@dataclass(slots=True)
class Day:
    """What a project's day came to.

    Attributes:
        flushed, merged: rows written by flushes and by merges.
        merges: transactions of merges, each under a lease.
        most: segments at once, and `left` those after the day's last merge.
        merge_s: seconds of a core that merges took.
        behind_s: how long after the day its last merge ended.
    """

    flushed: int = 0
    merged: int = 0
    merges: int = 0
    most: int = 0
    left: int = 0
    merge_s: float = 0.0
    behind_s: float = 0.0


def play(cluster: Cluster, share: float) -> Day:
    """Plays one project's day: segments come from every node, and one merge at a time runs under the day's lease."""
    day = Day()
    policy = cluster.policy
    every_s = cluster.flush_s / cluster.nodes
    rows = max(int(cluster.rate * share * every_s), 1)
    numbers = itertools.count()
    flushed = 0
    busy_until_s = now_s = 0.0
    waiting: list[Segment] = []
    while True:
        is_over = now_s >= DAY_S
        while not is_over and flushed * every_s < now_s + STEP_S:
            waiting.append(_segment(numbers, rows))
            flushed += 1
            day.flushed += rows
        day.most = max(day.most, day.left + len(waiting))
        inputs: Sequence[Segment] = ()
        if now_s >= busy_until_s:
            inputs = policy.next_merge(waiting, now_ns=int(is_over) * DAY_NS, busy=False)
        if inputs:
            total = sum(segment.rows for segment in inputs)
            gone = {segment.segment_id for segment in inputs}
            waiting = [segment for segment in waiting if segment.segment_id not in gone]
            parts = policy.slices_of(inputs)
            for part in range(parts):
                size = total * (part + 1) // parts - total * part // parts
                if is_full(policy, size):
                    day.left += 1
                else:
                    waiting.append(_segment(numbers, size))
            day.merged += total
            day.merges += 1
            day.merge_s += total * MERGE_S
            busy_until_s = now_s + total * MERGE_S
        elif is_over and now_s >= busy_until_s:
            break
        else:
            now_s += STEP_S
    day.left += len(waiting)
    day.behind_s = now_s - DAY_S
    return day


def is_full(policy: MergePolicy, rows: int) -> bool:
    """Returns whether a segment of so many rows is never merged again."""
    alone = [Segment("0", rows), Segment("1", 1)]
    return not policy.next_merge(alone, now_ns=DAY_NS, busy=False)


def _segment(numbers: Iterator[int], rows: int) -> Segment:
    return Segment(f"{next(numbers):012d}", rows)


def table(cluster: Cluster) -> dict[str, float]:
    """Returns what the whole cluster comes to, by name."""
    shares = cluster.shares()
    # Costs of a project's day grow with its share: a few are played, and the others lie between them.
    played = {number: play(cluster, shares[number]) for number in (0, 4, 24, PROJECTS - 1)}
    days = [
        played[min(played, key=lambda known: abs(known - number))] for number in range(PROJECTS)
    ]
    segments = sum(day.left for day in days) * cluster.days
    flushes = cluster.nodes / cluster.flush_s
    merges = sum(day.merges for day in days) / DAY_S
    return {
        "spans a second, all nodes": cluster.rate,
        "seconds between flushes of a node": cluster.flush_s,
        "segments kept": segments,
        "catalog, GB": segments * CATALOG_BYTES / 1e9,
        "segments of a day at most, largest project": max(day.most for day in days),
        "flush transactions a second": flushes,
        "segments added by a flush": PROJECTS,
        "merge transactions a second, each with a lease": merges,
        "rows written by merges for a row flushed": sum(day.merged for day in days)
        / sum(day.flushed for day in days),
        "cores that merge": sum(day.merge_s for day in days) / DAY_S,
        "share of the day that the busiest lease is held": max(day.merge_s for day in days) / DAY_S,
        "hours after a day until it is merged": max(day.behind_s for day in days) / 3600,
    }


def main() -> None:
    """Prints a table for 100 nodes and 10^12 spans."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--spans", type=float, default=1e12)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--units", default="1,8", help="merge units, by commas")
    chosen = parser.parse_args()
    units = [int(unit) for unit in chosen.units.split(",")]
    columns = [table(Cluster(chosen.nodes, chosen.spans, chosen.days, unit)) for unit in units]
    print(f"{'':50}", *(f"unit x{unit}".rjust(14) for unit in units))
    for name in columns[0]:
        print(f"{name:50}", *(f"{column[name]:14,.1f}" for column in columns))


if __name__ == "__main__":
    main()
