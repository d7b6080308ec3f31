"""Export: every format holds the rows of the answer, whatever stops it midway, from a folder or a server."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import tracestore
from store import servers
from tracestore import Store
from tracestore.cli import app
from tracestore.client import Client
from tracestore.exports import ExportError, Progress, export
from tracestore.exports import targets as export_targets
from tracestore.exports.chat_lines import chat_line
from tracestore.object_stores import connect
from tracestore.server import Server, ServerSettings

ROWS = 20_000  # more than two batches of an answer
SQL = "SELECT span_id, start_time, duration, name, input, tags, attributes.n AS n FROM spans ORDER BY start_ns, span_id"


def spans() -> Iterator[dict[str, Any]]:
    for n in range(ROWS):
        yield {
            "trace_id": f"{n // 4 + 1:032x}",
            "span_id": f"{n + 1:016x}",
            "start_ns": 1_790_000_000_000_000_000 + n * 1_000,
            "duration_ns": n * 250,
            "name": f'odd "name"\n{n}' if n % 1000 == 0 else f"name {n}",
            "input": {"messages": [{"role": "user", "content": f"q{n} ä"}]}
            if n % 3
            else f"text {n}",
            "output": {"text": f"a{n}"} if n % 5 else None,
            "tags": ["a", str(n)],
            "attributes": {"n": n if n % 2 else n / 2},
        }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gives a store half of which is in segments; nobody writes to it."""
    path = tmp_path_factory.mktemp("export") / "store"
    rows = list(spans())
    with tracestore.open(path) as store:
        store.insert("spans", rows[: ROWS // 2])
        store.flush()
        store.insert("spans", rows[ROWS // 2 :])
        store.datasets.add("d", [{"id": str(n), "input": n, "expected": str(n)} for n in range(10)])
        store.datasets.snapshot("d", "ten")
        store.datasets.delete("d", ["0"])
    return path


@pytest.fixture(scope="module")
def store(folder: Path) -> Iterator[Store]:
    with tracestore.open(folder, background=False) as opened:
        yield opened


@pytest.fixture(scope="module")
def expected(store: Store) -> list[dict[str, Any]]:
    return store.sql(SQL).rows()


def seen(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["span_id"], row["name"], row["duration"], row["n"], row["input"], row["tags"])


def read(path: Path, kind: str) -> list[dict[str, Any]]:
    """Returns the rows of a file, JSON columns parsed."""
    if kind == "jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    if kind == "csv":
        options = pa_csv.ParseOptions(newlines_in_values=True)
        rows: list[dict[str, Any]] = pa_csv.read_csv(path, parse_options=options).to_pylist()
        return [{**row, "tags": json.loads(row["tags"])} for row in rows]
    if kind == "parquet":
        return list(pq.read_table(path).to_pylist())
    with path.open("rb") as file:
        return list(pa.ipc.open_stream(file).read_all().to_pylist())


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "arrow"])
def test_a_file_holds_the_answer(
    store: Store, expected: list[dict[str, Any]], tmp_path: Path, kind: str
) -> None:
    target = tmp_path / f"out.{kind}"
    done = export(store, SQL, str(target))
    assert (done.rows, done.bytes) == (len(expected), target.stat().st_size)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    rows = read(target, kind)
    if kind in {"csv", "parquet", "arrow"}:
        # `input` is of several types: its column is JSON text.
        rows = [{**row, "input": json.loads(row["input"])} for row in rows]
    assert list(map(seen, rows)) == list(map(seen, expected))


def test_pandas_reads_it(store: Store, expected: list[dict[str, Any]], tmp_path: Path) -> None:
    sql = "SELECT span_id, duration, attributes.n AS n, name FROM spans ORDER BY start_ns, span_id"
    export(store, sql, str(tmp_path / "out.parquet"))
    export(store, sql, str(tmp_path / "out.jsonl"))
    for frame in (
        pd.read_parquet(tmp_path / "out.parquet"),
        pd.read_json(tmp_path / "out.jsonl", lines=True, dtype={"span_id": str}),
    ):
        assert len(frame) == len(expected)
        assert frame["n"].sum() == sum(row["n"] for row in expected if row["n"] is not None)
        assert frame["name"].tolist() == [row["name"] for row in expected]


def test_hugging_face_datasets_reads_it(store: Store, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed: it is heavy")
    sql = "SELECT id, input, expected FROM dataset('d') ORDER BY created_ns"
    for kind, builder in (("jsonl", "json"), ("parquet", "parquet")):
        target = tmp_path / f"out.{kind}"
        export(store, sql, str(target))
        cache = str(tmp_path / "cache")
        loaded = datasets.load_dataset(builder, data_files=str(target), cache_dir=cache)["train"]
        assert loaded.num_rows == 9


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_folder_holds_the_answer_in_files_of_bounded_size(
    store: Store, expected: list[dict[str, Any]], tmp_path: Path, kind: str
) -> None:
    done = export(store, SQL, str(tmp_path / "out"), format=kind, part_rows=9000)
    files = sorted((tmp_path / "out").iterdir())
    assert [str(path) for path in files] == done.files
    assert len(files) == 2
    rows = [row for path in files for row in read(path, kind)]
    assert [row["span_id"] for row in rows] == [row["span_id"] for row in expected]
    with pytest.raises(ExportError, match=r"holds files such as part-"):
        export(store, SQL, str(tmp_path / "out"), format=kind)


class StoppedError(Exception):
    """The end of an export, as by a crash."""


def stop_after(batches: int) -> Any:
    seen_batches = iter(range(batches))

    def count(progress: Progress) -> None:
        del progress
        if next(seen_batches, None) is None:
            raise StoppedError

    return count


@pytest.mark.parametrize(
    ("output", "kind"), [("out.jsonl", None), ("out.csv", None), ("out", "parquet")]
)
@pytest.mark.parametrize("batches", [0, 1, 2])
def test_an_export_that_was_stopped_goes_on(
    store: Store,
    expected: list[dict[str, Any]],
    tmp_path: Path,
    output: str,
    kind: str | None,
    batches: int,
) -> None:
    target = tmp_path / output
    options: dict[str, Any] = {"format": kind, "part_rows": 8000}
    with pytest.raises(StoppedError):
        export(store, SQL, str(target), on_progress=stop_after(batches), **options)
    assert kind is not None or not target.exists()
    reread: list[int] = []
    done = export(
        store, SQL, str(target), resume=True, on_progress=lambda p: reread.append(p.rows), **options
    )
    assert done.rows == len(expected)
    if kind is None:
        rows = read(target, output.partition(".")[2])
        assert len(reread) < 3 or batches == 0
    else:
        rows = [row for path in sorted(target.iterdir()) for row in read(path, kind)]
    assert [row["span_id"] for row in rows] == [row["span_id"] for row in expected]
    assert not list(tmp_path.rglob("*.partial"))
    assert not list(tmp_path.rglob("*state*")) + list(tmp_path.rglob("_export*"))


def test_a_killed_process_leaves_a_state_to_go_on_from(
    store: Store, expected: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_targets, "STATE_BYTES", 1)
    # What is noted at the end does not count: the process is gone.
    monkeypatch.setattr(export_targets.File, "_keep_or_remove", lambda *_: None)
    target = tmp_path / "out.jsonl"
    with pytest.raises(StoppedError):
        export(store, SQL, str(target), on_progress=stop_after(1))
    with (tmp_path / "out.jsonl.partial").open("ab") as file:
        file.write(b'{"half a li')
    assert export(store, SQL, str(target), resume=True).rows == len(expected)
    rows = read(target, "jsonl")
    assert [row["span_id"] for row in rows] == [row["span_id"] for row in expected]


def test_a_fresh_export_does_not_continue_what_an_older_one_left(
    store: Store, expected: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.jsonl"
    with pytest.raises(StoppedError):
        export(store, SQL, str(target), on_progress=stop_after(2))
    # A second, fresh run is killed before it has noted anything of its own.
    monkeypatch.setattr(export_targets.File, "_keep_or_remove", lambda *_: None)
    with pytest.raises(StoppedError):
        export(store, SQL, str(target), on_progress=stop_after(1))
    assert not (tmp_path / "out.jsonl.state").exists()
    reread: list[int] = []
    done = export(store, SQL, str(target), resume=True, on_progress=lambda p: reread.append(p.rows))
    assert (done.rows, reread[0] < done.rows) == (len(expected), True)
    assert [row["span_id"] for row in read(target, "jsonl")] == [row["span_id"] for row in expected]


def test_bytes_that_are_not_those_of_the_state_are_not_continued(
    store: Store, expected: list[dict[str, Any]], tmp_path: Path
) -> None:
    target = tmp_path / "out.jsonl"
    with pytest.raises(StoppedError):
        export(store, SQL, str(target), on_progress=stop_after(1))
    partial = tmp_path / "out.jsonl.partial"
    partial.write_bytes(partial.read_bytes().replace(b"name 5", b"eman 5"))
    export(store, SQL, str(target), resume=True)
    assert list(map(seen, read(target, "jsonl"))) == list(map(seen, expected))


def test_a_folder_is_resumed_only_where_it_holds_what_its_state_says(
    store: Store, expected: list[dict[str, Any]], tmp_path: Path
) -> None:
    target = tmp_path / "out"
    options: dict[str, Any] = {"format": "jsonl", "part_rows": 8000}

    def stop() -> None:
        with pytest.raises(StoppedError):
            export(store, SQL, str(target), on_progress=stop_after(2), **options)

    stop()
    (target / "notes.txt").write_text("mine")
    for resume in (True, False):
        with pytest.raises(ExportError, match=r"holds files such as notes\.txt"):
            export(store, SQL, str(target), resume=resume, **options)
    (target / "notes.txt").unlink()
    stop()
    part = target / "part-00000.jsonl"
    part.write_bytes(part.read_bytes().replace(b"name 5", b"eman 5"))
    with pytest.raises(ExportError, match="not those that were written"):
        export(store, SQL, str(target), resume=True, **options)
    # A fresh export removes what the stopped one left; once it is whole, nothing is resumed into it.
    assert export(store, SQL, str(target), **options).rows == len(expected)
    with pytest.raises(ExportError, match="holds files such as part-00000"):
        export(store, SQL, str(target), resume=True, **options)


def test_what_cannot_be_resumed_is_told(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        export(store, SQL, str(tmp_path / "out.jsonl"), on_progress=stop_after(1))
    with pytest.raises(ExportError, match="another query"):
        export(store, SQL + " DESC", str(tmp_path / "out.jsonl"), resume=True)
    with pytest.raises(ExportError, match="written in one go"):
        export(store, SQL, str(tmp_path / "out.parquet"), resume=True)
    with pytest.raises(StoppedError):
        export(store, "SELECT * FROM spans", str(tmp_path / "x.jsonl"), on_progress=stop_after(1))
    assert not list(tmp_path.glob("x*"))
    for output, kind in (("out.txt", None), ("out", None), ("out", "xml")):
        with pytest.raises(ExportError, match="format"):
            export(store, SQL, str(tmp_path / output), format=kind)


def test_a_file_that_is_not_what_was_written_is_told(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = export_targets.File.write

    def lose(self: export_targets.File, *arguments: Any) -> None:
        write(self, *arguments)
        path = tmp_path / "out.jsonl"
        path.write_bytes(path.read_bytes()[:-20])

    monkeypatch.setattr(export_targets.File, "write", lose)
    with pytest.raises(ExportError, match="cannot trust"):
        export(store, "SELECT span_id FROM spans", str(tmp_path / "out.jsonl"))


def test_an_empty_answer_is_a_file_with_columns(store: Store, tmp_path: Path) -> None:
    sql = "SELECT span_id, input FROM spans WHERE name = 'nothing' ORDER BY span_id"
    assert export(store, sql, str(tmp_path / "out.parquet")).rows == 0
    assert pq.read_schema(tmp_path / "out.parquet").names == ["span_id", "input"]
    assert export(store, sql, str(tmp_path / "out"), format="csv").rows == 0


# --- over HTTP, to an object store, on the command line ---------------------------------------------


def test_over_http_it_is_the_same(expected: list[dict[str, Any]], tmp_path: Path) -> None:
    other = tmp_path / "other"
    with tracestore.open(other) as copy:
        copy.insert("spans", spans())
    settings = ServerSettings(data=other, port=0, grpc_port=-1)
    with Server(settings) as server, Client(server.url) as client:
        target = tmp_path / "out.jsonl"
        with pytest.raises(StoppedError):
            export(client, SQL, str(target), on_progress=stop_after(1))
        done = export(client, SQL, str(target), resume=True)
        assert done.rows == len(expected)
        assert list(map(seen, read(target, "jsonl"))) == list(map(seen, expected))
        # A stream that ends early is not taken for a whole one.
        cut = client.export_arrow

        def shorter(*arguments: Any, **options: Any) -> Generator[bytes]:
            parts = list(cut(*arguments, **options))
            yield from parts[:-1]

        client.export_arrow = shorter  # type: ignore[method-assign]
        with pytest.raises((ExportError, pa.ArrowInvalid), match=r"end|resume|EOS|Expected"):
            export(client, SQL, str(tmp_path / "cut.jsonl"))


def test_an_object_store_takes_files_and_folders(
    store: Store, expected: list[dict[str, Any]], tmp_path: Path
) -> None:
    with servers.s3(tmp_path / "s3") as url:
        base, _, options = url.partition("?")
        done = export(store, SQL, f"{base}/one.parquet?{options}", format="parquet")
        assert done.rows == len(expected)
        with pytest.raises(StoppedError):
            export(
                store,
                SQL,
                f"{base}/many?{options}",
                format="jsonl",
                part_rows=8000,
                on_progress=stop_after(2),
            )
        done = export(
            store, SQL, f"{base}/many?{options}", format="jsonl", part_rows=8000, resume=True
        )
        assert (done.rows, len(done.files)) == (len(expected), 3)
        files, root = connect(f"{base}/many?{options}")
        names = [each.base_name for each in files.get_file_info(pafs.FileSelector(root))]
        assert sorted(names) == ["part-00000.jsonl", "part-00001.jsonl", "part-00002.jsonl"]


def test_the_command_line_exports_datasets_experiments_and_whole_traces(
    tmp_path: Path,
) -> None:
    copy = tmp_path / "copy"
    with tracestore.open(copy) as made:
        made.insert("spans", list(spans())[:400])
        made.datasets.add(
            "d", [{"id": str(n), "input": f"q{n}", "expected": f"a{n}"} for n in range(10)]
        )
        made.datasets.snapshot("d", "ten")
        made.datasets.add("d", [{"id": "x", "input": {"no": "conversation"}, "expected": 1}])
        made.insert(
            "spans",
            [{"input": "q", "output": "a", "scores": {"s": 1}} for _ in range(5)],
            experiment="e",
        )

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(
            app, ["export", *arguments, "--data", str(copy)], env={"COLUMNS": "300"}
        )
        assert done.exit_code == 0, (done.output, done.exception)
        return done.stderr

    out = tmp_path / "out.jsonl"
    assert "10 rows" in run("--dataset", "d", "--version", "ten", "-o", str(out))
    assert [row["expected"] for row in read(out, "jsonl")] == [f"a{n}" for n in range(10)]
    assert "5 rows" in run("--experiment", "e", "-o", str(out))
    assert {row["scores"]["s"] for row in read(out, "jsonl")} == {1}
    told = run("--dataset", "d", "--format", "chat", "-o", str(out))
    assert "left out 1 rows" in told
    assert read(out, "jsonl")[0] == {
        "messages": [{"role": "user", "content": "q0"}, {"role": "assistant", "content": "a0"}]
    }
    chosen = "SELECT trace_id FROM spans WHERE attributes.n = 399"
    assert "4 rows" in run("--sql", chosen, "--whole-traces", "-o", str(out))
    assert {row["trace_id"] for row in read(out, "jsonl")} == {f"{399 // 4 + 1:032x}"}
    both = ["export", "--sql", "SELECT 1", "--dataset", "d", "-o", str(out)]
    assert CliRunner().invoke(app, both).exit_code == 2


USER = {"role": "user", "content": "q"}
BOT = {"role": "assistant", "content": "a"}


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        ({"input": "q", "output": "a"}, [USER, BOT]),
        ({"input": "q", "expected": "a", "output": "worse"}, [USER, BOT]),
        ({"input": [USER], "output": BOT}, [USER, BOT]),
        ({"input": {"messages": [USER]}, "output": {"text": "a"}}, [USER, BOT]),
        ({"input": [USER], "output": [USER, BOT]}, [USER, BOT]),
        ({"input": "q", "output": {"choices": [{"message": BOT}]}}, [USER, BOT]),
        (
            {
                "input": [{"role": "user", "parts": [{"type": "text", "content": "q"}]}],
                "output": "a",
            },
            [USER, BOT],
        ),
        ({"input": "q", "output": {"x": 1}}, [USER, {"role": "assistant", "content": '{"x": 1}'}]),
        ({"input": {"x": 1}, "output": "a"}, None),
        ({"input": "q", "output": None}, None),
        ({"input": [], "output": "a"}, None),
        ({"input": "q", "output": [USER]}, None),
        ({"input": [{"role": "alien", "content": "q"}], "output": "a"}, None),
    ],
)
def test_rows_become_conversations(row: dict[str, Any], messages: Any) -> None:
    line = chat_line(row)
    assert (None if line is None else json.loads(line)["messages"]) == messages
