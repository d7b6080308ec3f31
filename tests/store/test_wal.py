"""The log's bytes: frames come back, damage is found and bounded, the page's example decodes."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import processes
from tracestore.errors import FormatVersionError
from tracestore.store.files import filenames
from tracestore.store.files.filesystem import FileSystem
from tracestore.store.wal import frames
from tracestore.store.wal.frames import Frame
from tracestore.store.wal.log import Wal
from tracestore.store.wal.reading import Damage, PlacedFrame, TornTail, read_wal

PAGE = Path(__file__).resolve().parents[2] / "docs" / "format" / "wal.md"

NAMES = st.text(st.characters(codec="utf-8"), max_size=20)
FRAMES = st.builds(
    Frame,
    kind=st.sampled_from(list(frames.KINDS.values())),
    table=st.sampled_from(list(frames.TABLES.values())),
    content_type=st.sampled_from(list(frames.CONTENT_TYPES.values())),
    content_encoding=st.sampled_from(list(frames.ENCODINGS.values())),
    project=NAMES,
    experiment=st.none() | NAMES,
    received_ns=st.integers(-(2**63), 2**63 - 1),
    payload=st.binary(max_size=300),
)


def frame(number: int, size: int = 40) -> Frame:
    payload = bytes([number % 256]) * size
    return Frame("rows", "spans", "application/x-ndjson", "identity", "p", None, number, payload)


def write_log(folder: Path, frames: list[Frame]) -> Path:
    wal = Wal(folder, 1, FileSystem())
    for each in frames:
        wal.append(each)
    wal.close()
    return folder / filenames.wal_name(1)


@given(st.lists(FRAMES, max_size=8))
def test_frames_come_back(tmp_path_factory: pytest.TempPathFactory, frames: list[Frame]) -> None:
    path = write_log(tmp_path_factory.mktemp("wal"), frames)
    items = list(read_wal(path))
    assert [item.frame for item in items if isinstance(item, PlacedFrame)] == frames
    assert len(items) == len(frames)


def test_every_cut_gives_a_prefix_and_a_torn_tail(tmp_path: Path) -> None:
    frames = [frame(number, size=number * 7) for number in range(4)]
    data = write_log(tmp_path, frames).read_bytes()
    for size in range(len(data)):
        path = tmp_path / "cut"
        path.write_bytes(data[:size])
        items = list(read_wal(path))
        whole = [item.frame for item in items if isinstance(item, PlacedFrame)]
        assert whole == frames[: len(whole)]
        rest = [item for item in items if not isinstance(item, PlacedFrame)]
        ends = {32} | {item.end for item in items if isinstance(item, PlacedFrame)}
        assert rest == [] if size in ends else isinstance(rest[0], TornTail)


def test_every_flipped_byte_costs_at_most_the_frame_it_is_in(tmp_path: Path) -> None:
    frames = [frame(number, size=30) for number in range(4)]
    path = write_log(tmp_path, frames)
    data = path.read_bytes()
    places = [(item.offset, item.end) for item in read_wal(path) if isinstance(item, PlacedFrame)]
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 0x41
        path.write_bytes(flipped)
        items = list(read_wal(path))
        found = [item.frame for item in items if isinstance(item, PlacedFrame)]
        if position < 32:
            assert items == [Damage(str(path), 0, len(data), "file header is damaged")]
            continue
        hit = next(i for i, (start, end) in enumerate(places) if start <= position < end)
        assert found == [each for i, each in enumerate(frames) if i != hit]
        bad = next(item for item in items if not isinstance(item, PlacedFrame))
        assert not isinstance(bad, PlacedFrame)
        assert (bad.offset, bad.end) == places[hit]


def test_a_payload_that_looks_like_a_frame_is_not_one(tmp_path: Path) -> None:
    inner = write_log(tmp_path, [frame(1)]).read_bytes()[32:]
    folder = tmp_path / "outer"
    folder.mkdir()
    outer = Frame("rows", "spans", "application/x-ndjson", "identity", "p", None, 0, inner * 3)
    path = write_log(folder, [outer, frame(2)])
    data = bytearray(path.read_bytes())
    data[32 + 9] ^= 1  # the outer frame's header
    path.write_bytes(data)
    items = list(read_wal(path))
    assert [type(item) for item in items] == [Damage, PlacedFrame]


def test_a_newer_version_is_refused_by_name(tmp_path: Path) -> None:
    import zlib

    head = bytearray(frames.encode_file_header(1, 2))
    head[8] = 9
    head[28:] = zlib.crc32(bytes(head[:28])).to_bytes(4, "little")
    path = tmp_path / "x.wal"
    path.write_bytes(head)
    with pytest.raises(FormatVersionError, match=r"x\.wal: unexpected WAL version; got 9; want 1"):
        list(read_wal(path))


def test_waiting_requests_share_a_sync(tmp_path: Path) -> None:
    entered, go_on = threading.Event(), threading.Event()

    class SlowFs(FileSystem):
        def create(self, path: Path):  # type: ignore[no-untyped-def]
            file = super().create(path)
            plain = file.sync

            def sync() -> None:
                if file.size > 32:
                    entered.set()
                    assert go_on.wait(processes.HANG_S)
                plain()

            file.sync = sync  # type: ignore[method-assign]
            return file

    wal = Wal(tmp_path, 1, SlowFs())
    first = threading.Thread(target=wal.sync, args=(wal.append(frame(1)),))
    first.start()
    assert entered.wait(processes.HANG_S)
    others = [threading.Thread(target=wal.sync, args=(wal.append(frame(n)),)) for n in range(2, 30)]
    for thread in others:
        thread.start()
    go_on.set()
    for thread in [first, *others]:
        thread.join()
    assert wal.synced == 29
    assert wal.syncs == 2
    wal.close()


def test_a_rotation_syncs_the_old_file_and_numbers_go_on(tmp_path: Path) -> None:
    wal = Wal(tmp_path, 1, FileSystem())
    assert wal.append(frame(1)) == 1
    assert wal.rotate() == 2
    assert wal.synced == 1
    assert wal.append(frame(2)) == 2
    wal.close()
    found = [
        item.number
        for n in (1, 2)
        for item in read_wal(tmp_path / filenames.wal_name(n))
        if isinstance(item, PlacedFrame)
    ]
    assert found == [1, 2]


# --- the page ---


def page_tables() -> list[list[tuple[int, int, str]]]:
    tables: list[list[tuple[int, int, str]]] = []
    for block in re.split(r"\n\n", PAGE.read_text()):
        rows = re.findall(r"^\| (\d+) \| (\d+) \| (\w+) \| ", block, re.MULTILINE)
        if rows:
            tables.append([(int(offset), int(size), kind) for offset, size, kind in rows])
    return tables


def test_the_page_has_the_structs_of_the_code() -> None:
    letters = {"u8": "B", "u16le": "H", "u32le": "I", "u64le": "Q", "i64le": "q", "bytes": "8s"}
    structs = [frames.FILE_HEADER, frames.FRAME_HEADER]
    for table, struct in zip(page_tables(), structs, strict=True):
        position = 0
        for offset, size, _ in table:
            assert offset == position
            position += size
        assert position == struct.size
        assert "<" + "".join(letters[kind] for _, _, kind in table) == struct.format


def test_the_example_of_the_page_decodes(tmp_path: Path) -> None:
    dump = re.search(r"```hex\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert dump is not None
    digits = [line[:47] for line in dump.group(1).splitlines()]
    path = tmp_path / "example.wal"
    path.write_bytes(bytes.fromhex(" ".join(digits)))
    assert frames.decode_file_header(path.read_bytes()[:32], "x") == (7, 0x1122334455667788)
    (item,) = read_wal(path)
    assert isinstance(item, PlacedFrame)
    assert item.number == 1
    assert item.frame == Frame(
        "rows", "json", "application/x-ndjson", "identity", "p", None, 1, b'{"n":1}'
    )
