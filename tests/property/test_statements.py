"""Random statements give what plain DuckDB gives of the same rows, typed by the rule, while rows come and change."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path
from typing import Any

import duckdb

from sql.statements.rows import untagged
from sql.statements.statement import Statement, Statements
from sql.statements.store import ChangingStore, comparable, differing, same_rows
from tracestore.errors import QueryError
from tracestore_query import KeepRule, Query

STATEMENTS = int(os.environ.get("TRACESTORE_STATEMENTS", "300"))
SEED = int(os.environ.get("TRACESTORE_STATEMENTS_SEED", "1"))
STATEMENTS_OF_STEP = 25
STEPS_OF_STORE = 12
ONE_WAY = bool(os.environ.get("TRACESTORE_STATEMENTS_ONE_WAY"))
"""Whether statements are asked in one way, and with their first parameters alone: a long run then asks three times as
many in its time."""

WITHOUT_SHORTCUTS = 0.0 if ONE_WAY else 0.2
WITH_KEPT_GROUPS = 0.0 if ONE_WAY else 0.3
"""How often a statement is asked where groups are kept of every segment, and then once more."""

STEP_BETWEEN = 0.1
"""How often rows come or change before a statement is asked again with other parameters."""

MAX_ROWS = 2000
"""Rows that are compared one by one; of a larger answer only how many there are."""

MAX_COUNTED_ROWS = 2_000_000
"""Rows that are counted at most: an answer of more is not compared."""

FETCHED_ROWS = 100_000

MAX_PLAIN_S = 3.0
"""A statement that plain DuckDB works on for longer joins hundreds of millions of rows: it is not compared."""

SHOWN = 40
"""Faults that are shown, the shortest first."""


class TooMuchError(Exception):
    """The news that a statement takes plain DuckDB too long, or too much memory."""


def test_statements_give_what_plain_duckdb_gives(tmp_path: Path) -> None:
    asked = compared = 0
    wrong: list[str] = []
    for number in range(-(-STATEMENTS // (STATEMENTS_OF_STEP * STEPS_OF_STORE))):
        chance = random.Random(f"{SEED} {number}")
        made = ChangingStore(tmp_path / f"store{number}", chance)
        every_row = Query(made.store, shortcuts=False)
        keeping = Query(made.store, keeps=KeepRule(1, 1, 0))
        try:
            for _ in range(STEPS_OF_STORE):
                made.step()
                for _ in range(STATEMENTS_OF_STEP):
                    statement = Statements(chance, made.columns).statement()
                    answers, fault = check(made, every_row, keeping, statement)
                    asked += 1
                    compared += answers
                    if fault:
                        wrong.append(f"{SEED} {number} {made.steps}\n{fault}")
                        print(wrong[-1], flush=True)  # noqa: T201 - a long run shows what it finds
        finally:
            every_row.close()
            keeping.close()
            made.close()
    print(f"{asked} statements, {compared} answers compared")  # noqa: T201 - how many are compared is asked for
    assert not wrong, f"{len(wrong)} of {asked}:\n" + "\n\n".join(sorted(wrong, key=len)[:SHOWN])
    assert compared > asked // 2


def check(
    made: ChangingStore, every_row: Query, keeping: Query, statement: Statement
) -> tuple[int, str | None]:
    """Returns how many answers were compared, and what was wrong."""
    compared = 0
    for number, parameters in enumerate(statement.parameters[: 1 if ONE_WAY else None]):
        if number and made.chance.random() < STEP_BETWEEN:
            known = made.columns
            made.step()
            if made.columns != known:
                # What came has given a path another type, which the other statement has to say.
                break
        # Drawn before anything is timed: what a seed asks does not depend on the machine.
        queries = asked_queries(made, every_row, keeping)
        try:
            want = plain_rows(made.plain, statement, parameters)
        except TooMuchError:
            continue
        for query in queries:
            try:
                answer = query.sql(statement.ours, parameters or None)
                if isinstance(want, int):
                    count = answer.arrow().num_rows
                    compared += 1
                    if count != want:
                        return compared, described(statement, parameters, count, want)
                    continue
                rows = answer.rows()
            except QueryError as error:
                if want is None and "__" not in str(error):
                    continue
                return compared, described(statement, parameters, f"{error}", want)
            if want is None:
                continue
            got = [comparable(list(row.values())) for row in rows]
            if not same_rows(got, want, ordered=statement.ordered):
                return compared, described(statement, parameters, *differing(got, want))
            compared += 1
    return compared, None


def asked_queries(made: ChangingStore, every_row: Query, keeping: Query) -> list[Query]:
    """Returns the ways in which a statement is asked."""
    # Without shortcuts every row is read: that is slow, and differs where they are wrong.
    both = made.chance.random() < WITHOUT_SHORTCUTS
    queries = [made.store.query, *([every_row] if both else [])]
    if made.chance.random() < WITH_KEPT_GROUPS:
        queries += [keeping, keeping]
    return queries


def plain_rows(
    plain: duckdb.DuckDBPyConnection, statement: Statement, parameters: dict[str, Any]
) -> list[list[Any]] | int | None:
    """Returns the rows that plain DuckDB gives, their number where they are many, None where it refuses.

    Raises TooMuchError.
    """
    bound = threading.Timer(MAX_PLAIN_S, plain.interrupt)
    bound.start()
    try:
        answer = plain.execute(statement.plain, parameters or None)
        found = answer.fetchmany(MAX_ROWS + 1)
        count = len(found)
        while count > MAX_ROWS and (more := answer.fetchmany(FETCHED_ROWS)):
            count += len(more)
            if count > MAX_COUNTED_ROWS:
                raise TooMuchError
        if count > MAX_ROWS:
            return count
    except (duckdb.InterruptException, duckdb.OutOfMemoryException) as error:
        raise TooMuchError from error
    except duckdb.Error as error:
        if os.environ.get("TRACESTORE_STATEMENTS_REFUSED"):
            print(f"{error}\n{statement.plain}\n")  # noqa: T201 - asked for
        return None
    finally:
        bound.cancel()
        bound.join()
    return [comparable([untagged(value) for value in row]) for row in found]


def described(statement: Statement, parameters: dict[str, Any], got: object, want: object) -> str:
    return f"{statement.ours}\n{statement.plain}\n{parameters}\ngot  {got!r:.1500}\nwant {want!r:.1500}"
