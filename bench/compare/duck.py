"""DuckDB four ways: hand-declared Parquet, a VARIANT table, VARIANT in Parquet, JSON text in Parquet."""

from __future__ import annotations

from pathlib import Path as File

import duckdb

from bench.compare.questions import Path
from bench.compare.system import Rows, System

PARQUET = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"


class Duck(System):
    """The base of the four: rows come from the NDJSON file by `read_json` with all types declared."""

    package = "duckdb"
    settings = (
        "parquet_metadata_cache; zstd, row groups of 122,880 rows; NDJSON read with declared types"
    )

    def open(self) -> None:
        """Connects."""
        self._connection = duckdb.connect()
        self._connection.execute("SET parquet_metadata_cache = true")

    def close(self) -> None:
        """Disconnects."""
        self._connection.close()

    def ask(self, text: str) -> Rows:
        """Returns the rows as Python values."""
        return self._connection.execute(text).fetchall()

    def source(self, file: File, kinds: dict[str, str]) -> str:
        """Returns the call that reads the NDJSON file."""
        listed = ", ".join(f"{name}: '{kind}'" for name, kind in kinds.items())
        return f"read_json('{file}', format='newline_delimited', columns={{{listed}}})"

    def kinds(self) -> dict[str, str]:
        """Returns the types of the columns: JSON for variants, text where a variant is nothing else."""
        texts = {path.variant for path in self.workload.paths.values() if not path.keys}
        variants = {name: "VARCHAR" if name in texts else "JSON" for name in self.workload.variants}
        return {**self.workload.fixed, **variants}

    def copied(self, select: str) -> None:
        """Writes the one Parquet file."""
        with duckdb.connect() as connection:
            connection.execute(f"COPY ({select}) TO '{self.folder}/rows.parquet' {PARQUET}")

    def table(self) -> str:
        """Returns the Parquet file."""
        return f"'{self.folder}/rows.parquet'"


class TypedParquet(Duck):
    """A Parquet file with every column that will be asked for declared beforehand: the upper limit."""

    title = "hand-typed parquet"

    def load(self, file: File) -> None:
        """Takes every path out of the JSON once, into a column with its type; JSON is kept for whole rows."""
        columns = [*self.workload.fixed]
        for name, path in self.workload.paths.items():
            value = _json_text(path)
            columns.append(f'TRY_CAST({value} AS {path.kind}) AS "{name}"')
        columns += [name for name in self.workload.variants if name not in self.workload.paths]
        self.copied(f"SELECT {', '.join(columns)} FROM {self.source(file, self.kinds())}")

    def path(self, name: str, path: Path) -> str:
        """Returns the column."""
        del path
        return f'"{name}"'

    def messages(self, path: Path) -> str:
        """Unnests the list of structs."""
        del path
        return f"(SELECT m.role AS role FROM (SELECT unnest(messages) AS m FROM {self.table()}))"

    def whole(self) -> str:
        """Returns the JSON that was kept."""
        return ", ".join(name for name in self.workload.variants if name not in self.workload.paths)


class JsonParquet(Duck):
    """A Parquet file with JSON as text."""

    title = "json text parquet"

    def load(self, file: File) -> None:
        """Copies."""
        self.copied(f"SELECT * FROM {self.source(file, self.kinds())}")

    def path(self, name: str, path: Path) -> str:
        """Extracts the text and converts it."""
        del name
        return f"TRY_CAST({_json_text(path)} AS {path.kind})"

    def messages(self, path: Path) -> str:
        """Unnests a list of JSON."""
        list_ = f"json_extract({path.variant}, '{_pointer(path)}')"
        inner = f"SELECT unnest(CAST({list_} AS JSON[])) AS m FROM {self.table()}"
        return f"(SELECT m->>'$.role' AS role FROM ({inner}))"


class VariantParquet(Duck):
    """A VARIANT column in Parquet, shredded as DuckDB does by itself."""

    title = "duckdb variant parquet"

    def load(self, file: File) -> None:
        """Converts and copies."""
        self.copied(self.selected(file))

    def selected(self, file: File) -> str:
        """Returns the SELECT of rows with VARIANT columns."""
        kinds = self.kinds()
        columns = [f"{n}::VARIANT AS {n}" if kind == "JSON" else n for n, kind in kinds.items()]
        return f"SELECT {', '.join(columns)} FROM {self.source(file, kinds)}"

    def path(self, name: str, path: Path) -> str:
        """Extracts the value and converts it."""
        del name
        if not path.keys:
            return path.variant
        return f"TRY_CAST({_extracted(path)} AS {path.kind})"

    def messages(self, path: Path) -> str:
        """Unnests a list of VARIANT."""
        inner = f"SELECT unnest(CAST({_extracted(path)} AS VARIANT[])) AS m FROM {self.table()}"
        return f"(SELECT CAST(variant_extract(m, 'role') AS VARCHAR) AS role FROM ({inner}))"


class VariantTable(VariantParquet):
    """A VARIANT column in DuckDB's own file."""

    title = "duckdb variant table"

    def load(self, file: File) -> None:
        """Creates the table in a file of the newest storage version."""
        with duckdb.connect() as connection:
            connection.execute(
                f"ATTACH '{self.folder}/rows.duckdb' AS d (STORAGE_VERSION 'latest')"
            )
            connection.execute(f"CREATE TABLE d.rows AS {self.selected(file)}")
            connection.execute("CHECKPOINT d")

    def open(self) -> None:
        """Connects and attaches the file."""
        super().open()
        self._connection.execute(f"ATTACH '{self.folder}/rows.duckdb' AS d (READ_ONLY)")

    def table(self) -> str:
        """Returns the table."""
        return "d.rows"


def _pointer(path: Path) -> str:
    return "".join(f"/{key}" for key in path.keys)


def _json_text(path: Path) -> str:
    if not path.keys:
        return path.variant
    function = "json_extract" if path.kind.endswith("[]") else "json_extract_string"
    return f"{function}({path.variant}, '{_pointer(path)}')"


def _extracted(path: Path) -> str:
    found = path.variant
    for key in path.keys:
        found = f"variant_extract({found}, '{key}')"
    return found
