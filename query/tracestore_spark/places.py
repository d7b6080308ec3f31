"""Where Spark finds the files of a store: in a folder that all its processes see, or in a bucket."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pyspark.sql import SparkSession

from tracestore.errors import StoreFailedError
from tracestore_query.spark.scans import FileRead

_GLOB: Final = re.compile(r"([*?{}\[\]\\])")
_S3A: Final = "org.apache.hadoop.fs.s3a.S3AFileSystem"


@dataclass(frozen=True, slots=True)
class Places:
    """Where files are.

    Attributes:
        bucket: the URL below which Spark reads them, None where it reads local files: a folder's own, or copies.
    """

    bucket: str | None

    @classmethod
    def of(cls, spark: SparkSession, segments_url: str | None) -> Places:
        """Returns where Spark finds the segments of a store.

        Raises:
            StoreFailedError: where its executors cannot read the bucket.
        """
        if segments_url is None:
            return cls(None)
        parts = urlsplit(segments_url)
        if parts.scheme == "s3" and _has_class(spark, _S3A):
            return cls(f"s3a://{parts.hostname}{parts.path}".rstrip("/"))
        if parts.scheme not in {"s3", "file"}:
            return cls(f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/"))
        if str(spark.sparkContext.master).startswith("local"):
            # One process reads what the driver has fetched.
            return cls(None)
        raise StoreFailedError(
            "cannot read bucket with Spark: its executors have no S3A file system; "
            "add spark.jars.packages=org.apache.hadoop:hadoop-aws"
        )

    def urls(self, read: FileRead) -> Iterator[str]:
        """Yields the URL of each file, in which no letter is a pattern."""
        for segment in read.segments:
            key = segment.tail_key if read.of_tails else segment.row.file_key
            local = segment.tail_uri if read.of_tails else segment.uri
            # The JVM's folder is not this process's.
            url = (
                Path(str(local)).absolute().as_posix()
                if self.bucket is None
                else f"{self.bucket}/{key}"
            )
            yield _GLOB.sub(r"\\\1", url)


def _has_class(spark: SparkSession, name: str) -> bool:
    context: Any = spark.sparkContext
    try:
        context._jvm.java.lang.Class.forName(name)  # noqa: SLF001 - the one way to ask the JVM
    except Exception as error:
        if "ClassNotFoundException" not in str(error):
            raise
        return False
    return True
