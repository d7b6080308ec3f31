"""Objects of an answer are what was sent, whether the query computes with them or gives them."""

from __future__ import annotations

from pathlib import Path

import tracestore


def test_keys_that_differ_in_case_alone_stand_in_one_object(tmp_path: Path) -> None:
    values = {"a": {"a": 1, "A": 2}}
    with tracestore.open(tmp_path / "case", background=False) as opened:
        opened.insert("spans", [{"name": f"s{n}", "attributes": values} for n in range(2_000)])
        sql = "SELECT name, attributes.a AS a FROM spans WHERE attributes.a::VARCHAR LIKE '%A%' LIMIT 1"
        for _ in range(2):
            assert opened.sql(sql).rows()[0]["a"] == values["a"]
            opened.flush()
