"""The answer of a store and of a server is the same object: read in any way, twice, alike."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import tracestore
from data.stores import span
from tracestore.errors import AnswerReadError, ClientError, NothingStoredError
from tracestore.server import Server, ServerSettings

SQL = (
    "SELECT name, start_time, duration_ns, duration, attributes, attributes.n AS n, tags, "
    "CAST(7 AS DECIMAL(9, 2)) AS d, "
    "DATE '2026-01-02' AS day, INTERVAL 1 DAY AS i, 'x'::BLOB AS b, [1, 2] AS l, struct_pack(a := 1) AS s, "
    "attributes.mixed AS mixed, 'NaN'::DOUBLE AS nan FROM spans WHERE project = 'answers' ORDER BY start_ns"
)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("answers") / "store"
    with (
        Server(ServerSettings(data=folder, port=0, grpc_port=-1)) as server,
        tracestore.Client(server.url) as client,
    ):
        rows = [
            span(n, attributes={"n": n, "mixed": n if n % 2 else f"t<b>{n}"}, tags=["a"])
            for n in range(9000)
        ]
        client.insert("spans", rows, project="answers")
        yield {"store": server.store, "server": client, "url": server.url}


@pytest.fixture(params=["store", "server"])
def source(request: pytest.FixtureRequest, places: dict[str, Any]) -> Any:
    return places[request.param]


def test_both_give_the_same_rows_and_types(places: dict[str, Any]) -> None:
    ours, theirs = (places[name].sql(SQL) for name in ("store", "server"))
    assert repr(ours.rows()[:50]) == repr(theirs.rows()[:50])
    assert (ours.names, ours.types, ours.columns) == (theirs.names, theirs.types, theirs.columns)
    assert ours.arrow().schema.remove_metadata() == theirs.arrow().schema.remove_metadata()
    first = theirs.rows()[0]
    assert isinstance(first["start_time"], datetime.datetime)
    assert first["start_time"].tzinfo is not None
    assert first["attributes"] == {"n": 0, "mixed": "t<b>0"}
    for name in ("store", "server"):
        warned = places[name].sql("SELECT attributes.nosuch AS x FROM spans LIMIT 1")
        assert warned.rows() == [{"x": None}]
        assert warned.warnings
        assert warned.stats.leaf_columns >= 0


def test_every_way_of_reading_gives_the_same_twice(source: Any) -> None:
    answer = source.sql(SQL)
    assert len(answer) == len(answer.rows()) == len(list(answer)) == 9000
    assert answer.arrow().num_rows == 9000
    assert list(answer.df()["name"]) == [row["name"] for row in answer]
    assert sum(batch.num_rows for batch in answer.batches()) == 9000
    assert sum(batch.num_rows for batch in answer.batches()) == 9000
    assert repr(answer).startswith("<Answer: name VARCHAR, ")


def test_rows_come_as_they_are_read_and_stay(source: Any) -> None:
    with source.sql(SQL) as answer:
        first = next(iter(answer))
        assert repr(list(answer)[0]) == repr(first)  # noqa: RUF015 - all of it is read
        assert len(answer) == 9000


def test_batches_keep_nothing_and_say_so(source: Any) -> None:
    with source.sql(SQL) as answer:
        assert isinstance(next(answer.batches()), pa.RecordBatch)
        with pytest.raises(AnswerReadError, match="keeps none"):
            answer.rows()
        with pytest.raises(AnswerReadError, match="keeps none"):
            len(answer)


def test_a_notebook_shows_text_as_text(source: Any) -> None:
    shown = source.sql(
        "SELECT attributes.mixed AS \"<i>\" FROM spans WHERE project = 'answers' ORDER BY start_ns"
    )._repr_html_()
    assert "t&lt;b&gt;0" in shown
    assert "&lt;i&gt;" in shown
    assert "9,000 rows, 50 shown" in shown


def test_polars_where_it_is_installed(source: Any) -> None:
    polars = pytest.importorskip("polars")
    frame = source.sql("SELECT name, duration FROM spans WHERE project = 'answers'").pl()
    assert isinstance(frame, polars.DataFrame)
    assert frame.height == 9000


def test_rows_that_are_all_refused_are_an_error(source: Any) -> None:
    bad = [{"name": "x", "start_time": "no time"}, {"name": "y", "duration_ns": "long"}]
    with pytest.raises((NothingStoredError, ClientError), match="all 2 were refused; row 0"):
        source.insert("spans", bad, project="elsewhere")
    report = source.insert("spans", [*bad, {"name": "good"}], project="elsewhere")
    rejected = report["rejected_rows"] if isinstance(report, dict) else report.rejected_rows
    assert rejected == 2


def test_the_async_client_has_the_verbs_that_an_application_calls(places: dict[str, Any]) -> None:
    async def talk() -> None:
        async with tracestore.AsyncClient(places["url"]) as client:
            one, two = await asyncio.gather(
                client.sql("SELECT 1 AS n"), client.sql("SELECT $n AS n", {"n": 2})
            )
            assert (one.rows(), two.rows()) == ([{"n": 1}], [{"n": 2}])
            mine = {**span(77), "name": "async"}
            assert (await client.insert("spans", [mine], project="async"))["rows"] == 1
            await client.score((mine["trace_id"], mine["span_id"]), "good", 1, project="async")
            await client.patch(
                {"trace_id": mine["trace_id"], "span_id": mine["span_id"], "tags": ["t"]},
                project="async",
            )
            found = await client.sql(
                "SELECT scores.good AS good, tags FROM spans WHERE project = 'async'"
            )
            assert found.rows() == [{"good": 1, "tags": ["t"]}]
            with pytest.raises(ClientError, match="did you mean spans"):
                await client.sql("SELECT * FROM spanz")
        async with tracestore.AsyncClient("http://127.0.0.1:1") as nobody:
            with pytest.raises(ConnectionError, match="tracestore serve"):
                await nobody.sql("SELECT 1")

    asyncio.run(talk())


def test_the_package_lists_what_there_is() -> None:
    names = dir(tracestore)
    assert {"Answer", "AsyncClient", "Client", "Eval", "init", "open", "traced"} <= set(names)
    assert all(getattr(tracestore, name) is not None for name in names)


def test_a_store_that_is_not_there_is_not_made_unless_asked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tracestore.open(tmp_path / "no", create=False)
    assert not (tmp_path / "no").exists()
