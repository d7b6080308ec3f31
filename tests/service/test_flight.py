"""Arrow Flight SQL answers what SQL over HTTP answers, to ADBC and to what stands on it: pandas, polars, SQLAlchemy."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import adbc_driver_flightsql
import adbc_driver_flightsql.dbapi as flight
import adbc_driver_manager
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sqlalchemy as sa

from data import processes
from tracestore.client import Client
from tracestore.server import Server, ServerSettings

START_NS = 1_790_000_000_000_000_000
ROWS = [
    {
        "name": f"span {number}",
        "start_ns": START_NS + number,
        "service": "shop",
        "attributes": {"n": number, "tags": ["a", number], "half": number / 2},
        "input": {"question": f"q{number}"},
    }
    for number in range(3000)
]


@pytest.fixture(scope="module", params=[False, True], ids=["one process", "engine process"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("flight") / "store"
    settings = ServerSettings(
        data=folder, port=0, grpc_port=-1, flight_port=0, engine_process=request.param
    )
    with Server(settings) as running:
        running.store.insert("spans", ROWS)
        yield running


@pytest.fixture
def connection(server: Server) -> Iterator[Any]:
    with flight.connect(f"grpc://127.0.0.1:{server.flight_port}", autocommit=True) as made:
        yield made


def asked(connection: Any, sql: str, parameters: Any = None) -> pa.Table:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetch_arrow_table()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name, service, start_time, duration, attributes.n FROM spans ORDER BY start_ns",
        "SELECT attributes, input, attributes.tags FROM spans ORDER BY start_ns",
        "SELECT count(*), avg(attributes.half) FROM spans",
        "SELECT [1, 2] AS list, {'a': 1} AS record, DATE '2026-01-01' AS day, 1.5::DECIMAL(4,2) AS money",
        "SELECT name FROM spans WHERE false",
        "WITH few AS (SELECT * FROM spans LIMIT 3) SELECT count(*) FROM few",
        "DESCRIBE spans",
        "SHOW TABLES",
    ],
)
def test_an_answer_is_the_one_of_http(server: Server, connection: Any, sql: str) -> None:
    with Client(server.url) as client:
        over_http = client.sql(sql).arrow()
    over_flight = asked(connection, sql)
    assert over_flight.schema.equals(over_http.schema, check_metadata=False)
    assert over_flight.to_pylist() == over_http.to_pylist()


@pytest.mark.parametrize(
    ("sql", "parameters", "rows"),
    [
        ("SELECT name FROM spans WHERE attributes.n = ?", (7,), ["span 7"]),
        (
            "SELECT name FROM spans WHERE name = ? AND attributes.half < ?",
            ("span 3", 9.5),
            ["span 3"],
        ),
        (
            "SELECT name FROM spans WHERE start_time >= ? AND attributes.n < ?",
            (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), 1),
            ["span 0"],
        ),
        ("SELECT coalesce(?, 'none')", (None,), ["none"]),
        ("SELECT ? = true", (True,), [True]),
    ],
)
def test_parameters_are_values(connection: Any, sql: str, parameters: Any, rows: list[Any]) -> None:
    assert asked(connection, sql, parameters).column(0).to_pylist() == rows


def test_parameters_may_have_names(connection: Any) -> None:
    named = pa.record_batch({"least": [2997], "word": ["span%"]})
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM spans WHERE attributes.n > $least AND name LIKE $word", named
        )
        assert cursor.fetchone() == (2,)


def test_a_prepared_statement_is_run_again_with_other_values(connection: Any) -> None:
    sql = "SELECT name FROM spans WHERE attributes.n = ?"
    with connection.cursor() as cursor:
        for number in (1, 2, 3):
            cursor.execute(sql, (number,))
            assert cursor.fetchall() == [(f"span {number}",)]


def test_the_schema_is_told_without_an_answer(connection: Any) -> None:
    with connection.cursor() as cursor:
        schema = cursor.adbc_execute_schema("SELECT name, start_ns AS at FROM spans")
    assert schema.names == ["name", "at"] and schema.field("at").type == pa.int64()


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT name, ? AS said FROM spans WHERE attributes.n = ?", ["1", "2"]),
        ("SELECT name FROM spans WHERE name LIKE $word AND name <> $word", ["word"]),
        ("SELECT '?' AS name, 1 AS \"$x\" -- ?\n /* $y */", []),
        ("DESCRIBE spans", []),
        ("SHOW TABLES", []),
        ("EXPLAIN SELECT 1", []),
    ],
)
def test_a_prepared_statement_tells_its_columns_and_parameters_before_it_has_values(
    connection: Any, sql: str, parameters: list[str]
) -> None:
    with connection.cursor() as cursor:
        told = cursor.adbc_prepare(sql)
        assert [field.name for field in told] == parameters
        assert len(cursor.adbc_execute_schema(sql)) > 0


def test_tables_types_and_what_the_server_is(connection: Any) -> None:
    [catalog] = connection.adbc_get_objects(depth="all").read_all().to_pylist()
    [schema] = catalog["catalog_db_schemas"]
    tables = {table["table_name"]: table for table in schema["db_schema_tables"]}
    assert {"spans", "logs", "traces", "paths"} <= tables.keys()
    assert tables["spans"]["table_type"] == "TABLE" and tables["traces"]["table_type"] == "VIEW"
    names = [column["column_name"] for column in tables["spans"]["table_columns"]]
    assert names == asked(connection, "SELECT * FROM spans LIMIT 0").column_names
    [catalog] = (
        connection.adbc_get_objects(depth="tables", table_name_filter="sp%").read_all().to_pylist()
    )
    found = catalog["catalog_db_schemas"][0]["db_schema_tables"]
    assert [table["table_name"] for table in found] == ["spans"]
    assert connection.adbc_get_table_types() == ["TABLE", "VIEW"]
    assert (
        connection.adbc_get_table_schema("logs").names[:2]
        == asked(connection, "SELECT * FROM logs").column_names[:2]
    )
    assert connection.adbc_get_info()["vendor_name"] == "tracestore"


@pytest.mark.parametrize(
    ("sql", "kind", "words"),
    [
        ("SELEC 1", flight.ProgrammingError, "cannot parse query"),
        ("SELECT * FROM nowhere", flight.ProgrammingError, "unknown table"),
        ("DROP TABLE spans", flight.ProgrammingError, "not allowed"),
        ("SELECT ?", flight.ProgrammingError, "parameter"),
    ],
)
def test_a_refusal_says_what_http_says(connection: Any, sql: str, kind: Any, words: str) -> None:
    with pytest.raises(kind, match=words):
        asked(connection, sql)


def test_pandas_and_polars_read_it(connection: Any) -> None:
    sql = "SELECT name, attributes.n AS n FROM spans ORDER BY n LIMIT 3"
    assert pd.read_sql(sql, connection)["n"].tolist() == [0, 1, 2]
    assert pl.read_database(sql, connection)["name"].to_list() == ["span 0", "span 1", "span 2"]
    uri = connection.adbc_get_info()
    assert uri["vendor_version"]


def test_sqlalchemy_reads_it(server: Server) -> None:
    url = f"adbc+flightsql://127.0.0.1:{server.flight_port}?tls=false"
    engine = sa.create_engine(url, connect_args={"autocommit": True})
    spans = sa.table("spans", sa.column("name"), sa.column("service"), sa.column("start_ns"))
    asked_for = (
        sa.select(spans.c.service, sa.func.count())
        .where(spans.c.start_ns < START_NS + 10, spans.c.name != "span 0")
        .group_by(spans.c.service)
    )
    try:
        with engine.connect() as connected:
            assert connected.execute(asked_for).all() == [("shop", 9)]
            text = sa.text("SELECT name FROM spans WHERE attributes.n = :n")
            assert connected.execute(text, {"n": 5}).scalar() == "span 5"
    finally:
        engine.dispose()


def test_an_answer_larger_than_memory_is_read_in_parts_and_left(connection: Any) -> None:
    with connection.cursor() as cursor:
        # 40 GB, in messages that drivers take.
        cursor.execute("SELECT repeat('x', 4000) AS text FROM range(10000000)")
        reader = cursor.fetch_record_batch()
        # Both sides read ahead, until what lies between them is full.
        for _ in range(40):
            reader.read_next_batch()
        before = resident_bytes()
        # 1.3 GB of it.
        read = sum(reader.read_next_batch().num_rows for _ in range(160))
        assert read > 300_000
        assert resident_bytes() - before < 300e6
        cursor.adbc_cancel()
    assert asked(connection, "SELECT 1 AS one").to_pylist() == [{"one": 1}]


def resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096


def test_a_statement_is_cancelled_from_another_thread(connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT a.range FROM range(1000000) a, range(1000000) b, range(1000) c")
    reader = cursor.fetch_record_batch()
    reader.read_next_batch()
    cancelling = threading.Thread(target=cursor.adbc_cancel)
    cancelling.start()
    with pytest.raises((OSError, pa.ArrowException, adbc_driver_manager.Error)):
        list(iter(reader.read_next_batch, None))
    cancelling.join(processes.HANG_S)
    cursor.close()


def test_an_answer_whose_engine_ends_is_an_error_and_the_next_one_comes(
    server: Server, connection: Any
) -> None:
    if server.engine is None:
        pytest.skip("the engine is this process")
    with connection.cursor() as cursor:
        cursor.execute("SELECT repeat('x', 4000) AS text FROM range(10000000)")
        reader = cursor.fetch_record_batch()
        reader.read_next_batch()
        assert server.engine.pid is not None
        os.kill(server.engine.pid, signal.SIGKILL)
        with pytest.raises((OSError, pa.ArrowException, adbc_driver_manager.Error), match="ended"):
            list(iter(reader.read_next_batch, None))
    assert asked(connection, "SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_keys_and_tls(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    write_certificate(certificate, key)
    folder = tmp_path / "store"
    settings = ServerSettings(
        data=folder,
        port=0,
        grpc_port=-1,
        flight_port=0,
        engine_process=False,
        require_keys=False,
        flight_tls_certificate=certificate,
        flight_tls_key=key,
    )
    trusted = {adbc_driver_flightsql.DatabaseOptions.TLS_ROOT_CERTS.value: certificate.read_text()}
    with Server(settings) as server:
        uri = f"grpc+tls://127.0.0.1:{server.flight_port}"
        with flight.connect(uri, db_kwargs=trusted, autocommit=True) as connected:
            assert asked(connected, "SELECT 1 AS one").to_pylist() == [{"one": 1}]
        plain = f"grpc://127.0.0.1:{server.flight_port}"
        with flight.connect(plain, autocommit=True) as connected, pytest.raises(flight.Error):
            asked(connected, "SELECT 1")


def write_certificate(certificate: Path, key: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="belong together"):
        ServerSettings(data=tmp_path, flight_tls_certificate=tmp_path / "cert.pem")


def test_a_taken_port_is_said(server: Server, tmp_path: Path) -> None:
    assert server.flight_port is not None
    settings = ServerSettings(
        data=tmp_path / "store", port=0, grpc_port=-1, flight_port=server.flight_port
    )
    with pytest.raises(OSError, match="cannot listen"):
        Server(settings)
