"""URLs of buckets: a key and its secret are never told, wherever they stand, and options are those that there are."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tracestore
from tracestore.errors import StoreFailedError
from tracestore.object_stores import connect, shown_url

SECRET = "SEKRET+42"

NOWHERE = "scheme=http&endpoint_override=127.0.0.1:1&connect_timeout=1&request_timeout=1"


@pytest.mark.parametrize(
    "url",
    [
        f"s3://key:a/{SECRET}@bucket/x?region=x",
        f"s3://key:1/{SECRET}@bucket/x",
        f"s3://key:/{SECRET}@bucket/x",
        f"s3://key:a@b/{SECRET}@bucket/x",
        f"s3://key:a?{SECRET}@bucket/x",
        f"s3://key:a#{SECRET}@bucket/x",
        f"s3:/key:{SECRET}@bucket/x",
        f"s3:key:{SECRET}@bucket/x",
        f"s3://key:{SECRET}@",
        f"S3://key:{SECRET}@bucket:99999/x",
        f"s4://key:{SECRET}@bucket/x",
        f"abfs://key:1/{SECRET}@account/x",
        f"s3://key:{SECRET}@[bucket/x",
        f"s3://key:{SECRET}@bucket/x?bogus={SECRET}",
        f"s3://key:{SECRET}@bucket/x?connect_timeout=soon",
        f"s3://bucket/x?session_token={SECRET}&anonymous=perhaps",
    ],
)
def test_a_url_that_cannot_be_opened_tells_no_secret(tmp_path: Path, url: str) -> None:
    with pytest.raises(StoreFailedError) as refused:
        tracestore.open(tmp_path / "store", segments_url=url)
    told = "".join(map(str, [refused.value, refused.value.__cause__ or ""]))
    assert "cannot open" in told
    assert SECRET not in told


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://key:a%2Fb@bucket/x?region=x", "s3://bucket/x"),
        ("s3://bucket/x@y", "s3://bucket/x@y"),
        ("gs://bucket/x/", "gs://bucket/x"),
        ("abfs://account:secret@127.0.0.1:10000/container", "abfs://127.0.0.1:10000/container"),
        ("hdfs://host:8020/x", "hdfs://host:8020/x"),
        ("file:///some/folder", "file:///some/folder"),
    ],
)
def test_a_url_is_shown_as_its_place(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_an_option_that_there_is_not_is_refused_by_name() -> None:
    with pytest.raises(
        StoreFailedError, match=r"there is no option 'bogus'; want some of .*region"
    ):
        connect("s3://bucket/x?bogus=1")
    with pytest.raises(StoreFailedError, match="anonymous is true or false"):
        connect("s3://bucket/x?anonymous=1")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=9, max_size=40))
def test_a_secret_is_taken_as_it_is_meant_and_never_shown(secret: str) -> None:
    url = f"s3://key:{quote(secret, safe='')}@bucket/some/prefix?{NOWHERE}"
    assert shown_url(url) == "s3://bucket/some/prefix"
    _, root = connect(url)
    assert root == "bucket/some/prefix"


@given(st.text(st.sampled_from("aZ9+/=@:?#[]%&"), min_size=1, max_size=30))
def test_a_secret_that_is_written_as_it_is_is_taken_or_refused(text: str) -> None:
    secret = f"SEK{text}RET"
    url = f"s3://key:{secret}@bucket/prefix"
    try:
        shown = shown_url(url)
    except StoreFailedError as error:
        shown = str(error)
    assert "SEK" not in shown
    assert "RET" not in shown.replace("SECRET", "")
