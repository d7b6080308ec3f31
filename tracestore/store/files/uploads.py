"""Files that this process puts into a bucket that others share, noted until the catalog names them.

Others' files under way look like leftovers. So a node removes its own after a crash, and no others.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from tracestore.store.files.filesystem import FileSystem


class Uploads:
    """Notes of files under way: one in a folder for each segment, with the key of its file."""

    def __init__(self, folder: Path, fs: FileSystem) -> None:
        self._folder = folder
        self._fs = fs
        fs.make_folder(folder)

    def note(self, segment_id: str, file_key: str) -> None:
        """Notes a segment before its first file is written."""
        file = self._fs.create(self._folder / segment_id)
        try:
            file.write(file_key.encode())
            file.sync()
        finally:
            file.close()
        self._fs.sync_folder(self._folder)

    def forget(self, segment_ids: Collection[str]) -> None:
        """Drops the notes of segments that the catalog names, or whose files are gone."""
        for segment_id in segment_ids:
            self._fs.remove(self._folder / segment_id)

    def noted(self) -> dict[str, str]:
        """Returns the key of each segment's file by segment id."""
        return {
            name: (self._folder / name).read_bytes().decode()
            for name in self._fs.names(self._folder)
        }
