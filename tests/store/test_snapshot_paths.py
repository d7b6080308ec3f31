"""A snapshot knows the paths of its segments, also after the catalog has forgotten these."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.stores import START_NS, span
from store.kit import open_store

RARE = {"metadata": {"rare": [{"a": 1}, "b"]}}
LEAF = ("metadata.rare", "json[]")


@pytest.mark.parametrize("asked", ["leaves", "leaf_types", "tail_paths"])
def test_tails_of_merged_segments_are_known_as_long_as_a_snapshot_reads_them(
    tmp_path: Path, asked: str
) -> None:
    with open_store(tmp_path) as store:
        store.insert("spans", [span(0, **RARE), *(span(number) for number in range(1, 40))])
        store.flush()
        store.insert("spans", [span(number) for number in range(40, 80)])
        store.flush()
    # Opened anew: no tail was read before the merge.
    with open_store(tmp_path) as store, store.snapshot() as snapshot:
        store.compact(full=True)
        view = snapshot.tables["spans"]
        if asked == "leaves":
            assert view.leaves.types("metadata.rare") == ["json[]"]
            assert view.leaves.tail_segments(LEAF).sum() == 1
        elif asked == "leaf_types":
            assert view.leaf_types["metadata.rare"] == {"json[]": 1}
        else:
            (paths,) = [
                segment.tail_paths["metadata.rare"]
                for segment in view.segments
                if "metadata.rare" in segment.tail_paths
            ]
            assert paths == {"json[]"}


def test_paths_that_no_live_segment_has_are_known_as_long_as_a_snapshot_reads_them(
    tmp_path: Path,
) -> None:
    with open_store(tmp_path) as store:
        gone = [span(number, metadata={"gone": number}) for number in range(40)]
        store.insert("spans", gone, project="shop")
        store.insert("spans", [span(0)])
        store.flush()
        with store.snapshot() as snapshot:
            store.delete(project="shop")
            view = snapshot.tables["spans"]
            assert view.leaves.types("metadata.gone") == ["i64"]
            assert "metadata.gone" in view.leaves.below("metadata")
            assert view.leaves.column_segments(("metadata.gone", "i64")).sum() == 1
            assert view.leaf_types["metadata.gone"] == {"i64": 40}
            columns = [each.leaf_columns for each in view.segments if each.project == "shop"]
            assert "metadata.gone:i64" in columns[0]
        # What comes later under the same name is a path of its own.
        store.insert("spans", [{**gone[0], "start_ns": START_NS}], project="shop")
        store.flush()
        assert [row.path for row in store.paths("spans", "shop") if "gone" in row.path] == [
            "metadata.gone"
        ]
        with store.snapshot() as later:
            assert later.tables["spans"].leaves.types("metadata.gone") == ["i64"]
