"""Measures which parts of Python the sandbox takes, and writes the table of docs/guide/sandbox.md.

    python tests/docs/sandbox_features.py

Each part is a piece of code that gives True in CPython. `taken` runs all of them in the sandbox.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Final

from tracestore.sandbox.bounds import Bounds
from tracestore.sandbox.sandbox import Sandbox
from tracestore.sandbox.source_code import IMPORTS

PAGE: Final = Path(__file__).parents[2] / "docs" / "guide" / "sandbox.md"
BEGIN: Final = "<!-- measured: begin -->\n"
END: Final = "<!-- measured: end -->"

FEATURES: Final[dict[str, dict[str, str]]] = {
    "Functions": {
        "default and keyword-only arguments": "def f(a, b=2, *, c=3):\n    return a + b + c\nreturn f(1, c=4) == 7",
        "positional-only arguments": "def f(a, /, b):\n    return a + b\nreturn f(1, b=2) == 3",
        "`*args` and `**kwargs`": "def f(*a, **k):\n    return len(a) + len(k)\nreturn f(1, 2, x=3) == 3",
        "unpacking in a call": "return max(*[1, 2], **{}) == 2",
        "closures and `nonlocal`": "n = 1\ndef f():\n    nonlocal n\n    n += 1\nf()\nreturn n == 2",
        "lambda": "return (lambda x: x + 1)(1) == 2",
        "decorators": "def twice(f):\n    return lambda x: f(f(x))\n@twice\ndef g(x):\n    return x + 1\nreturn g(1) == 3",
        "generators": "def g():\n    yield 1\n    yield 2\nreturn list(g()) == [1, 2]",
        "`yield from`": "def g():\n    yield from [1, 2]\nreturn list(g()) == [1, 2]",
        "`send` to a generator": "def g():\n    x = yield 1\n    yield x\nh = g()\nnext(h)\nreturn h.send(5) == 5",
        "recursion": "def f(n):\n    return 1 if n < 2 else n * f(n - 1)\nreturn f(10) == 3628800",
        "annotations": "def f(a: int) -> 'str':\n    return str(a)\nx: list[int] = [1]\nreturn f(x[0]) == '1'",
        "`async def` and `await`": "import asyncio\nasync def f():\n    return 1\nreturn asyncio.run(f()) == 1",
    },
    "Classes": {
        "class with methods": "class C:\n    def __init__(self, a):\n        self.a = a\n    def get(self):\n        return self.a\nreturn C(3).get() == 3",
        "inheritance and `super`": "class A:\n    def f(self):\n        return 1\nclass B(A):\n    def f(self):\n        return super().f() + 1\nreturn B().f() == 2",
        "operators (`__add__`, `__eq__`, …)": "class C:\n    def __init__(self, a):\n        self.a = a\n    def __add__(self, o):\n        return C(self.a + o.a)\n    def __eq__(self, o):\n        return self.a == o.a\nreturn C(1) + C(2) == C(3)",
        "`@property`": "class C:\n    @property\n    def p(self):\n        return 4\nreturn C().p == 4",
        "`@staticmethod`, `@classmethod`": "class C:\n    @staticmethod\n    def s():\n        return 1\n    @classmethod\n    def c(cls):\n        return cls.__name__\nreturn (C.s(), C.c()) == (1, 'C')",
        "`@dataclass`": "from dataclasses import dataclass\n@dataclass\nclass C:\n    a: int\n    b: int = 2\nreturn C(1) == C(1, 2)",
        "`Enum`": "from enum import Enum\nclass E(Enum):\n    A = 1\nreturn E.A.value == 1",
        "own exceptions": "class E(ValueError):\n    pass\ntry:\n    raise E('x')\nexcept ValueError as error:\n    return str(error) == 'x'",
        "context managers": "class C:\n    def __enter__(self):\n        return 1\n    def __exit__(self, *a):\n        return True\nwith C() as c:\n    raise ValueError\nreturn c == 1",
        "iterators": "class C:\n    def __iter__(self):\n        return iter([1, 2])\nreturn list(C()) == [1, 2]",
    },
    "Statements": {
        "`if`, `elif`, `else`": "if 0:\n    return False\nelif 1:\n    return True\nelse:\n    return False",
        "`for … else`, `while … else`": "for i in []:\n    pass\nelse:\n    return True",
        "`break`, `continue`": "n = 0\nfor i in range(9):\n    if i == 2:\n        continue\n    if i == 4:\n        break\n    n += i\nreturn n == 4",
        "`try … except … else … finally`": "x = []\ntry:\n    x.append(1)\nexcept ValueError:\n    pass\nelse:\n    x.append(2)\nfinally:\n    x.append(3)\nreturn x == [1, 2, 3]",
        "`raise … from`": "try:\n    try:\n        1 / 0\n    except ZeroDivisionError as e:\n        raise ValueError('v') from e\nexcept ValueError as error:\n    return isinstance(error.__cause__, ZeroDivisionError)",
        "`except*`": "try:\n    raise ExceptionGroup('g', [ValueError(1)])\nexcept* ValueError:\n    done = True\nreturn done",
        "`match`": "match {'a': [1, 2]}:\n    case {'a': [x, y]}:\n        return x + y == 3",
        "`assert`": "try:\n    assert 0, 'x'\nexcept AssertionError:\n    return True",
        "`del`": "x = {'a': 1}\ndel x['a']\nreturn x == {}",
        "`global`": "global n\nn = 1\nreturn n == 1",
        "assignment expressions (`:=`)": "return (n := 2) + n == 4",
        "unpacking (`a, *b = …`)": "a, *b = 1, 2, 3\nreturn b == [2, 3]",
        "chained comparisons": "return 1 < 2 < 3",
        "comprehensions": "return {k: v for k, v in [(1, 2)] if v} == {1: 2} and {x for x in (1, 1)} == {1}",
        "f-strings with formats": "x = 3.14159\nreturn f'{x:.2f} {x!r} {\"a\":>3}' == '3.14 3.14159   a'",
        "slices": "return [1, 2, 3, 4][::-2] == [4, 2] and 'abc'[-2:] == 'bc'",
    },
    "Values": {
        "integers of any size": "return 2 ** 100 % 7 == 2",
        "floats, `round`": "return round(2.675, 1) == 2.7 and float('1e3') == 1000.0",
        "complex numbers": "return (1 + 2j).real == 1",
        "bytes": "return 'ä'.encode() == b'\\xc3\\xa4' and b'\\xc3\\xa4'.decode() == 'ä'",
        "sets and frozen sets": "return {1, 2} & {2, 3} == {2} and frozenset([1]) | {2} == {1, 2}",
        "dict methods": "d = {'a': 1}\nd.update(b=2)\nreturn d.setdefault('c', 3) == 3 and d.pop('a') == 1 and d | {'z': 0} == {'b': 2, 'c': 3, 'z': 0}",
        "list methods": "x = [3, 1]\nx.sort(key=lambda v: v)\nx.insert(0, 9)\nx.reverse()\nreturn x == [3, 1, 9]",
        "string methods": "return ' A-b '.strip().lower().partition('-') == ('a', '-', 'b') and 'a b'.title() == 'A B' and 'x'.join('ab') == 'axb'",
        "`str.format`, `%`": "return '{:>4}|{a}'.format(1, a=2) == '   1|2' and '%05.1f' % 2.5 == '002.5'",
        "`str.translate`": "return 'abc'.translate(str.maketrans('a', 'b')) == 'bbc'",
        "`sorted`, `min`, `max` with a `key`": "return sorted(['b', 'A'], key=lambda v: v.lower(), reverse=True) == ['b', 'A'] and min([3, 1], key=lambda v: -v) == 3",
        "methods that are not called (`str.lower`, `getattr(text, 'lower')`)": "return list(map(str.lower, ['A'])) == ['a'] and hasattr('a', 'lower')",
        "`zip`, `map`, `filter`, `enumerate`": "return list(zip('ab', map(str, [1, 2]))) == [('a', '1'), ('b', '2')] and list(enumerate('a', 1)) == [(1, 'a')]",
        "`sum`, `any`, `all`, `abs`, `divmod`, `pow`": "return sum([1, 2]) == 3 and any([0, 1]) and divmod(7, 2) == (3, 1) and pow(2, 3, 5) == 3",
        "`isinstance`, `type`": "return isinstance(1, (int, str)) and type(1) is int",
        "`getattr`, `setattr` of own objects": "class C:\n    pass\nc = C()\nsetattr(c, 'a', 1)\nreturn getattr(c, 'a') == 1 and hasattr(c, 'a') and not hasattr(c, 'b')",
        "generator expressions": "return sum(x for x in [1, 2]) == 3",
        "`hash`, `id`, `repr`, `ord`, `chr`": "return hash('a') == hash('a') and chr(ord('a') + 1) == 'b' and repr('a') == \"'a'\"",
        "`int('ff', 16)`, `bin`, `hex`": "return int('ff', 16) == 255 and bin(5) == '0b101' and hex(255) == '0xff'",
        "`iter`, `next`, `reversed`": "i = iter([1])\nreturn next(i) == 1 and next(i, None) is None and list(reversed([1, 2])) == [2, 1]",
    },
    "Modules": {
        "`math`": "import math\nreturn math.isclose(math.sqrt(2) ** 2, 2) and math.log10(100) == 2 and math.inf > 1",
        "`json`": "import json\nreturn json.loads('{\"a\": [1, null]}') == {'a': [1, None]} and json.dumps([1, 'ä'], ensure_ascii=False) == '[1, \"ä\"]'",
        "`re`": "import re\nreturn re.sub(r'(\\w+)@', r'\\1 at ', 'a@b') == 'a at b' and re.match(r'(?P<x>\\d+)', '42a')['x'] == '42'",
        "`re` with look-behind and back references": "import re\nreturn re.findall(r'(?<=a)b', 'ab b') == ['b'] and bool(re.search(r'(a)\\1', 'aa'))",
        "`datetime`": "from datetime import datetime, timedelta\nreturn (datetime.fromisoformat('2026-01-31') + timedelta(days=1)).isoformat()[:10] == '2026-02-01'",
        "`strptime`, `strftime` of it": "from datetime import datetime\nreturn datetime.strptime('31.01.2026', '%d.%m.%Y').strftime('%Y') == '2026'",
        "`collections.Counter`": "from collections import Counter\nreturn Counter('aab').most_common(1) == [('a', 2)]",
        "`collections.defaultdict`": "from collections import defaultdict\nd = defaultdict(list)\nd['a'].append(1)\nreturn d == {'a': [1]}",
        "`collections.namedtuple`, `deque`": "from collections import deque, namedtuple\nP = namedtuple('P', 'x y')\nreturn P(1, 2).y == 2 and deque([1, 2], maxlen=1)[0] == 2",
        "`itertools`": "import itertools\nreturn list(itertools.chain([1], [2])) == [1, 2] and list(itertools.combinations('abc', 2))[0] == ('a', 'b')",
        "`functools.reduce`, `partial`, `lru_cache`": "import functools\nadd = functools.partial(lambda a, b: a + b, 1)\n@functools.lru_cache\ndef f(x):\n    return x\nreturn functools.reduce(lambda a, b: a * b, [2, 3]) == 6 and add(2) == 3 and f(1) == 1",
        "`statistics`": "import statistics\nreturn statistics.mean([1, 2, 3]) == 2 and statistics.median([1, 5, 9]) == 5",
        "`string`": "import string\nreturn string.ascii_lowercase[:3] == 'abc'",
        "`random`": "import random\nreturn random.Random(1).random() == random.Random(1).random()",
        "`decimal`": "from decimal import Decimal\nreturn Decimal('0.1') + Decimal('0.2') == Decimal('0.3')",
        "`fractions`": "from fractions import Fraction\nreturn Fraction(1, 3) * 3 == 1",
        "`unicodedata`": "import unicodedata\nreturn unicodedata.normalize('NFC', 'a\\u0308') == 'ä'",
        "`textwrap`": "import textwrap\nreturn textwrap.dedent('  a') == 'a'",
        "`hashlib`": "import hashlib\nreturn hashlib.sha256(b'').hexdigest()[:4] == 'e3b0'",
        "`base64`, `binascii`": "import base64\nreturn base64.b64encode(b'ab') == b'YWI='",
        "`csv`": "import csv\nreturn list(csv.reader(['a,\"b,c\"'])) == [['a', 'b,c']]",
        "`html`": "import html\nreturn html.unescape('&amp;') == '&'",
        "`difflib`": "import difflib\nreturn difflib.SequenceMatcher(None, 'ab', 'ab').ratio() == 1.0",
        "`bisect`": "import bisect\nreturn bisect.bisect([1, 3], 2) == 1",
        "`heapq`": "import heapq\nreturn heapq.nsmallest(1, [2, 1]) == [1]",
        "`tomllib`": "import tomllib\nreturn tomllib.loads('a = 1') == {'a': 1}",
        "`enum`": "import enum\nreturn enum.Enum is not None",
        "`os`, `sys`, `socket`, `subprocess`, `pathlib`": "import os, sys, socket, subprocess, pathlib\nreturn True",
        "`copy`": "import copy\nx = [[1]]\ny = copy.deepcopy(x)\ny[0][0] = 2\nreturn x == [[1]]",
        "`operator`": "import operator\nreturn operator.itemgetter('a')({'a': 1}) == 1",
        "`typing`": "from typing import Any, Optional\nx: Optional[Any] = None\nreturn x is None",
        "`time`": "import time\nreturn time.time() > 0",
        "`zoneinfo`": "from zoneinfo import ZoneInfo\nreturn str(ZoneInfo('Europe/Berlin')) == 'Europe/Berlin'",
        "`urllib.parse`": "from urllib.parse import urlsplit\nreturn urlsplit('http://a/b').path == '/b'",
        "`ast`": "import ast\nreturn ast.literal_eval('[1]') == [1]",
    },
}  # fmt: skip
"""What is tried, by the part of the language that it belongs to."""


def source(body: str) -> str:
    """Returns the code of one try."""
    return "def tried():\n" + textwrap.indent(body, "    ") + "\n"


def taken(sandbox: Sandbox) -> dict[str, dict[str, str | None]]:
    """Returns for each part why the sandbox does not take it, None where it does."""
    answers: dict[str, dict[str, str | None]] = {}
    for part, features in FEATURES.items():
        answers[part] = {}
        for name, body in features.items():
            outcome = sandbox.call(source(body), "tried", {}, Bounds(time_s=5.0))
            if outcome.failure is not None:
                answers[part][name] = outcome.failure.message
            else:
                answers[part][name] = None if outcome.value is True else "it gives another value"
    return answers


def table(answers: dict[str, dict[str, str | None]]) -> str:
    """Returns the table of the page."""
    lines = ["| part | taken | not taken |", "|---|---|---|"]
    for part, features in answers.items():
        yes = ", ".join(name for name, why in features.items() if why is None)
        no = ", ".join(f"{name}" for name, why in features.items() if why is not None)
        lines.append(f"| {part} | {yes} | {no or '–'} |")
    modules = ", ".join(f"`{name}`" for name in sorted(IMPORTS))
    lines.append(f"\nIt may import {modules}.\n")
    return "\n".join(lines)


def main() -> None:
    """Writes the table into the page."""
    sandbox = Sandbox(lanes=1)
    try:
        answers = taken(sandbox)
    finally:
        sandbox.close()
    for part, features in answers.items():
        for name, why in features.items():
            if why is not None:
                print(f"{part}: {name}: {why}")
    text = PAGE.read_text(encoding="utf-8")
    pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
    made = BEGIN + table(answers) + END
    PAGE.write_text(re.sub(pattern, lambda _: made, text, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
