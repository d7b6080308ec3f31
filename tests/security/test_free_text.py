"""Free text of a statement's tree, which a generator may write as it is, is a plain word or is refused."""

from __future__ import annotations

import pytest

from tracestore import Store
from tracestore.errors import QueryError
from tracestore_query import QueryForbiddenError


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT (1 OPERATOR('+) 1), (2 OPERATOR(+') 2)",
        "SELECT 1 FROM (SELECT 1) a JOIN BY (TYPE 'INNER; SELECT 2') (SELECT 1) b ON true",
        "SELECT e'a\\\\' || name FROM spans",
    ],
)
def test_raw_text_is_refused(statement: str, two_projects: Store) -> None:
    with pytest.raises(QueryError):
        two_projects.sql(statement).rows()
    with pytest.raises(QueryForbiddenError, match="plain words"):
        two_projects.sql(statement).rows()


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("SELECT 'it''s \"quoted\"; -- /* x' AS v", 'it\'s "quoted"; -- /* x'),
        ('SELECT 1 AS "a""b; --"', 1),
        ("SELECT e'it\\'s' AS v", "it's"),
        ("SELECT $$it's$$ AS v", "it's"),
        ("SELECT '{\"it''s\": 1}'::JSON ->> '$.\"it''s\"' AS v", "1"),
        ("SELECT 1e-9 * 1e9 AS v", 1.0),
        ("SELECT 1 /* */ AS v -- ; SELECT 2", 1),
        ("SELECT sum(1) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS v", 1),
    ],
)
def test_quoted_text_is_what_it_is(statement: str, value: object, two_projects: Store) -> None:
    (row,) = two_projects.sql(statement).rows()
    (found,) = row.values()
    assert found == value
