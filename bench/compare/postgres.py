"""PostgreSQL with JSONB and GIN, a server of its own on the loopback."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path as File

import psycopg

from bench.compare.questions import Path
from bench.compare.system import Rows, System
from store.servers import postgres  # tests/ has what starts one


class PostgresJsonb(System):
    """A table with JSONB columns, GIN indexes on them, and btrees on ids and times."""

    title = "postgresql jsonb"
    package = "psycopg"
    settings = (
        "Debian's PostgreSQL; fsync off; GIN (jsonb_ops) on each JSONB column, btree on trace_id and time; ANALYZE; "
        "shared_buffers and work_mem as Debian sets them"
    )

    def load(self, file: File) -> None:
        """Copies the rows in, indexes them, and gathers statistics."""
        self._open()
        fixed, variants = self.workload.fixed, self.workload.variants
        kinds = {"VARCHAR": "text", "BIGINT": "bigint"}
        columns = [f"{name} {kinds[kind]}" for name, kind in fixed.items()]
        columns += [f"{name} jsonb" for name in variants]
        self._connection.execute(f"CREATE TABLE rows ({', '.join(columns)})")
        with (
            self._connection.cursor() as cursor,
            cursor.copy(f"COPY rows ({', '.join([*fixed, *variants])}) FROM STDIN") as copy,
            file.open() as lines,
        ):
            for line in lines:
                row = json.loads(line)
                values = [row[name] for name in fixed]
                values += [json.dumps(row[name]) for name in variants]
                copy.write_row(values)
        for name in variants:
            if any(path.variant == name and path.keys for path in self.workload.paths.values()):
                self._connection.execute(f"CREATE INDEX ON rows USING gin ({name})")
        for name in fixed:
            if name in {"trace_id", "start_ns", "time_ns"}:
                self._connection.execute(f"CREATE INDEX ON rows ({name})")
        self._connection.execute("ANALYZE rows")

    def _open(self) -> None:
        self._held = contextlib.ExitStack()
        url = self._held.enter_context(postgres())
        self._connection = self._held.enter_context(psycopg.connect(url, autocommit=True))

    def open(self) -> None:
        """Does nothing: the server runs from loading on."""

    def close(self) -> None:
        """Does nothing: the server holds the rows."""

    def end(self) -> None:
        """Stops the server."""
        self._held.close()

    def ask(self, text: str) -> Rows:
        """Returns the rows."""
        return self._connection.execute(text).fetchall()

    def data_bytes(self) -> int:
        """Returns the bytes of the table and its indexes."""
        [[size]] = self.ask("SELECT pg_total_relation_size('rows')")
        return int(size)

    def question(self, name: str) -> str:
        """Returns the question; a rare key is asked for by what the index knows."""
        text = super().question(name)
        return (
            text.replace("WHERE (", "WHERE attributes ? 'debug.retries' AND (")
            if name == "Q4 rare key"
            else text
        )

    def table(self) -> str:
        """Returns the table."""
        return "rows"

    def path(self, name: str, path: Path) -> str:
        """Returns the path's value, a number only where it is one."""
        *above, last = path.keys or ("",)
        place = path.variant + "".join(f"->'{key}'" for key in above)
        if not path.keys:
            return f"({path.variant} #>> '{{}}')"
        if name == "mixed":
            value = f"{place}->'{last}'"
            return f"(CASE WHEN jsonb_typeof({value}) = 'number' THEN ({value})::bigint END)"
        kind = {"VARCHAR": "text", "BIGINT": "bigint", "DOUBLE": "double precision"}[path.kind]
        return f"({place}->>'{last}')::{kind}"

    def messages(self, path: Path) -> str:
        """Joins with the items of the list."""
        list_ = path.variant + "".join(f"->'{key}'" for key in path.keys)
        return (
            f"(SELECT m->>'role' AS role FROM rows, jsonb_array_elements({list_}) AS m) AS unnested"
        )

    def hour(self) -> str:
        """Returns the hour."""
        return f"({self.path('time', self.workload.paths['time'])} / 3600000000) % 24"

    def p95(self) -> str:
        """Returns the exact percentile."""
        return "percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ns)"
