"""What the bounds on paths keep: every value, as text where it has no column."""

from __future__ import annotations

import json
import random

import pytest

from tracestore import limits
from tracestore.variant import Shredder, json_projects, unshred


def rebuilt(max_paths: int, *rows: bytes) -> list[object]:
    shredder = Shredder("json", max_paths=max_paths)
    for row in rows:
        assert shredder.append_json(row).rows == 1
    return [json.loads(line) for line in unshred(shredder.finish()).splitlines()]


def test_a_long_path_under_many_keys_costs_its_bytes_once() -> None:
    inner = ",".join(f'"{n}":1' for n in range(20_000))
    row = ('{"metadata":{"' + "k" * 40_000 + '":{' + inner + "}}}").encode()
    shredder = Shredder("json")
    assert shredder.append_json(row).spilled_values == 1
    assert shredder.nbytes < 8 * len(row)
    table = shredder.finish()
    assert json.loads(unshred(table)) == json.loads(row)
    assert table.nbytes < 4 * len(row)


def test_a_deep_path_of_long_keys_is_cut_at_its_bound() -> None:
    value: object = {str(n): n for n in range(1000)}
    for depth in range(30):
        value = {f"{depth}-" + "k" * 100: value}
    row = json.dumps(value).encode()
    shredder = Shredder("json", min_leaf_rows=1)
    shredder.append_json(row)
    table = shredder.finish()
    assert json.loads(unshred(table)) == value
    assert max(len(name) for name in table.column_names) <= limits.MAX_PATH_BYTES + 16


@pytest.mark.parametrize(
    ("max_paths", "rows"),
    [
        (2, [b'{"x":1}', b'{"b":{"k":0},"b":{"a":1}}']),
        (1, [b'{"x":1}', b'{"x":{"b":1},"x":2}']),
        (1, [b'{"x":1}', b'{"y":1,"y":2}']),
        (1, [b'{"b":1}', b'{"b":{"c":2},"b":{}}']),
    ],
)
def test_the_last_of_equal_keys_counts_past_the_path_limit(
    max_paths: int, rows: list[bytes]
) -> None:
    assert rebuilt(max_paths, *rows) == [json.loads(row) for row in rows]


def test_random_rows_come_back_whatever_the_limit() -> None:
    chance = random.Random(5)

    def value(depth: int) -> object:
        kind = chance.randrange(7 if depth < 4 else 5)
        if kind >= 5:
            return {
                chance.choice(["a", "b", "c.d", "", "e"]): value(depth + 1)
                for _ in range(chance.randrange(4))
            }
        return [None, True, 7, 0.5, "text"][kind]

    for max_paths in (1, 3, 10, 1000):
        rows = [{"k": value(0), "l": value(0)} for _ in range(60)]
        shredder = Shredder("json", max_paths=max_paths)
        shredder.append_json("\n".join(map(json.dumps, rows)).encode())
        first = shredder.export()
        merged = Shredder("json", max_paths=limits.MAX_NODES)
        merged.append_table(shredder.finish())
        merged.append_table(first)
        found = [json.loads(line) for line in unshred(merged.finish()).splitlines()]
        assert found == rows + rows


def test_projects_of_rows_are_read_as_the_rows_are() -> None:
    ids = '"trace_id":"' + "1" * 32 + '","span_id":"' + "2" * 16 + '","start_ns":1'
    cases = [
        f'{{{ids},"project":"p1"}}\n{{\n{ids},\n"project":"p3"}}\n',
        f'{{{ids},\r"project":"p1"}}\n{{{ids},"pro\\u006aect":"p3"}}',
        f'{{{ids},"project":"p1","metadata":{{"a":{"9" * 5000}}}}}\n{{{ids},"project":"p3"}}',
    ]
    for body in cases:
        assert sorted(json_projects(body.encode())) == ["p1", "p3"]
    assert json_projects(f'{{{ids},"project":null}}'.encode(), default="d") == ["d"]
