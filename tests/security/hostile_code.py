"""Hostile code for the sandbox, made of kinds: what it tries, times where it tries it.

Each case is a module with a function `score`. A case either must fail, or may answer; none may learn or reach anything.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

SECRET: Final = "sandbox-secret-4711"
"""Stands in the environment of the test and in a file; no outcome may hold it."""

SECRET_FILE: Final = "/tmp/tracestore-sandbox-test"


@dataclass(frozen=True, slots=True)
class Hostile:
    """One case; `may_answer` tells whether a value is no fault of the sandbox."""

    name: str
    code: str
    may_answer: bool = False


def function(body: str, before: str = "") -> str:
    """Returns a module whose function has a body."""
    head = "def score(input, output, expected, metadata):\n"
    return f"{before}\n{head}{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n"


# --- endless work, wherever it stands ----------------------------------------------------------------

LOOPS: Final = {
    "while": "while True:\n    pass",
    "count": "n = 0\nwhile n >= 0:\n    n += 1",
    "range": "for i in range(10**15):\n    pass",
    "comprehension": "x = [0 for i in range(10**15) if i < 0]",
    "sum": "x = sum(range(10**15))",
    "any": "x = any(i < 0 for i in range(10**15))",
    "swallow": "while True:\n    try:\n        n = 1 // 0\n    except BaseException:\n        pass",
    "swallow all": "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        continue",
    "finally": "try:\n    while True:\n        pass\nfinally:\n    while True:\n        pass",
    "generator": "def g():\n    while True:\n        yield 1\nfor i in g():\n    pass",
    "sleep": "import time\nwhile True:\n    time.sleep(1000)",
    "growing text": "s = 'ab'\nwhile True:\n    s = s[1:] + s[:1]",
    "sorting": "while True:\n    x = sorted(range(1000), key=lambda v: -v)",
    "joining": "while True:\n    x = ','.join(str(v) for v in range(1000))",
}

PLACES: Final = {
    "body": lambda work: function(work + "\nreturn 1.0"),
    "top": lambda work: work + "\n" + function("return 1.0"),
    "inner": lambda work: function(
        "def inner():\n" + textwrap.indent(work, "    ") + "\n    return 1.0\nreturn inner()"
    ),
    "default": lambda work: (
        "def work():\n" + textwrap.indent(work, "    ") + "\n    return 1\n"
        + "def score(input, output, expected, metadata=work()):\n    return 1.0\n"
    ),
    "key": lambda work: function(
        "def key(v):\n" + textwrap.indent(work, "    ") + "\n    return v\nreturn sorted([2, 1], key=key)[0]"
    ),
    "class": lambda work: (
        "class Work:\n    def __init__(self):\n" + textwrap.indent(work, "        ") + "\n"
        + function("return 1.0 if Work() else 0.0")
    ),
}  # fmt: skip


def _loops() -> Iterator[Hostile]:
    for (loop, work), (place, put) in product(LOOPS.items(), PLACES.items()):
        yield Hostile(f"loop {loop} in {place}", put(work))


# --- memory, output and numbers ----------------------------------------------------------------------

SIZES: Final = ("10**8", "10**10", "10**15")

MEMORY: Final = {
    "text": "'a' * {n}",
    "bytes": "b'a' * {n}",
    "list": "[0] * {n}",
    "tuple": "(0,) * {n}",
    "list of range": "list(range({n}))",
    "set of range": "set(range({n}))",
    "dict": "{{i: i for i in range({n})}}",
    "format width": "'%{n}d' % 1 if False else format(1, '>' + str({n}))",
    "percent": "('%' + str({n}) + 'd') % 1",
    "f-string": "f'{{1:>{{{n}}}}}'",
    "ljust": "'a'.ljust({n})",
    "zfill": "'1'.zfill({n})",
    "center": "'a'.center({n}, 'b')",
    "replace": "('a' * 10**6).replace('a', 'b' * ({n} // 10**5))",
    "join": "('a' * 10**6).join(['b'] * ({n} // 10**5))",
    "shift": "1 << {n}",
    "power": "3 ** {n}",
    "huge text of a number": "str(7 ** {n})",
    "expandtabs": "'\\t'.expandtabs({n})",
    "round": "round(1.5, {n})",
    "print": "print('a' * {n})",
    "repeat in JSON": "__import__('json').dumps(['a' * 1000] * {n})",
    "sorted": "sorted(range({n}))",
    "split": "list('a' * {n})",
    "int of text": "int('9' * {n})",
}


def _memory() -> Iterator[Hostile]:
    for (name, work), size in product(MEMORY.items(), SIZES):
        text = work.format(n=size)
        yield Hostile(
            f"memory {name} {size}", function(f"x = {text}\nreturn len(str(x)) if x else 0"), True
        )
    growing = {
        "append": "x = []\nwhile True:\n    x.append([0] * 1000)",
        "doubling text": "x = 'a'\nwhile True:\n    x += x",
        "doubling list": "x = [1]\nwhile True:\n    x = x + x",
        "doubling bytes": "x = b'a'\nwhile True:\n    x += x",
        "extend itself": "x = [1]\nwhile True:\n    x.extend(x)",
        "dict": "x = {}\nwhile True:\n    x[len(x)] = 'a' * 1000",
        "nested": "x = []\nwhile True:\n    x = [x, x]",
        "generators": "x = []\ndef g():\n    yield x\nwhile True:\n    x.append(g())",
        "lambdas": "x = []\nwhile True:\n    x.append(lambda: x)",
        "objects": "class C:\n    pass\nx = []\nwhile True:\n    x.append(C())",
        "squaring": "x = 3\nwhile True:\n    x *= x",
        "caught": "x = []\nwhile True:\n    try:\n        x.append('a' * 10**6)\n    except MemoryError:\n        pass",
        "product": "import itertools\nx = list(itertools.product(range(1000), repeat=9))",
        "permutations": "import itertools\nx = list(itertools.permutations(range(50)))",
        "factorial": "import math\nx = math.factorial(10**7)",
        "comb": "import math\nx = math.comb(10**8, 10**7)",
    }  # fmt: skip
    for name, work in growing.items():
        yield Hostile(f"memory {name}", function(work + "\nreturn 1.0"), "comb" in name)
    outputs = {
        "long text": "return 'a' * 10**6",
        "long list": "return [1] * 10**6",
        "many keys": "return {str(i): i for i in range(10**5)}",
        "shared lists": "x = [1]\nfor i in range(60):\n    x = [x, x]\nreturn x",
        "shared dicts": "x = {}\nfor i in range(60):\n    x = {'a': x, 'b': x}\nreturn x",
        "deep list": "x = []\nfor i in range(150):\n    x = [x]\nreturn x",
        "deeper list": "x = []\nfor i in range(10**5):\n    x = [x]\nreturn x",
        "deep dict": "x = {}\nfor i in range(5000):\n    x = {'a': x}\nreturn x",
        "itself": "x = []\nx.append(x)\nreturn x",
        "dict of itself": "x = {}\nx['x'] = x\nreturn x",
        "set": "return {1, 2}",
        "bytes": "return b'a'",
        "object": "return object()",
        "class": "class C:\n    pass\nreturn C()",
        "function": "return score",
        "type": "return int",
        "generator": "return (i for i in range(3))",
        "complex": "return 1j",
        "nan": "return float('nan')",
        "infinity": "return float('inf')",
        "nan inside": "return {'score': float('-inf')}",
        "ellipsis": "return ...",
        "exception": "return ValueError('x')",
        "huge number": "return 10 ** 5000",
        "print": "while True:\n    print('a' * 1000)",
        "print much": "for i in range(10**6):\n    print(i)\nreturn 1.0",
        "surrogates": "return '\\ud800' * 10",
        "keys of many types": "return {(1, 2): 3}",
    }
    for name, work in outputs.items():
        yield Hostile(
            f"output {name}", function(work), name in {"surrogates", "huge number", "generator"}
        )


# --- recursion and nesting ---------------------------------------------------------------------------


def _recursion() -> Iterator[Hostile]:
    calls = {
        "direct": "def f():\n    return f()\nreturn f()",
        "with arguments": "def f(*a, **k):\n    return f(*a, 1, **k)\nreturn f()",
        "mutual": "def f():\n    return g()\ndef g():\n    return f()\nreturn f()",
        "lambda": "f = lambda: f()\nreturn f()",
        "swallowed": "def f():\n    try:\n        return f()\n    except BaseException:\n        return f()\nreturn f()",
        "finally": "def f():\n    try:\n        return f()\n    finally:\n        f()\nreturn f()",
        "generator": "def g():\n    yield from g()\nreturn list(g())",
        "repr": "class C:\n    def __repr__(self):\n        return repr(self)\nreturn repr(C())",
        "str": "class C:\n    def __str__(self):\n        return f'{self}'\nreturn str(C())",
        "eq": "class C:\n    def __eq__(self, other):\n        return self == other\nreturn C() == C()",
        "hash": "class C:\n    def __hash__(self):\n        return hash(self)\nreturn hash(C())",
        "getattr": "class C:\n    def __getattr__(self, name):\n        return getattr(self, name + 'x')\nreturn C().a",
        "len": "class C:\n    def __len__(self):\n        return len(self)\nreturn len(C())",
        "add": "class C:\n    def __add__(self, other):\n        return self + other\nreturn C() + C()",
        "key": "def key(v):\n    return sorted([1, 2], key=key)\nreturn sorted([1, 2], key=key)",
        "map": "def f(v):\n    return list(map(f, [v]))\nreturn f(1)",
        "comprehension": "def f():\n    return [f() for i in range(2)]\nreturn f()",
        "init": "class C:\n    def __init__(self):\n        C()\nreturn C()",
        "property": "class C:\n    @property\n    def p(self):\n        return self.p\nreturn C().p",
        "decorator": "def d(f):\n    return d(f)\n@d\ndef g():\n    pass\nreturn g()",
        "deep equality": "a, b = [], []\nfor i in range(10**5):\n    a, b = [a], [b]\nreturn a == b",
        "deep repr": "a = []\nfor i in range(10**5):\n    a = [a]\nreturn repr(a)[:10]",
        "deep copy": "import copy\na = []\nfor i in range(10**5):\n    a = [a]\nreturn len(copy.deepcopy(a))",
        "deep hash": "a = ()\nfor i in range(10**5):\n    a = (a,)\nreturn hash(a)",
        "deep isinstance": "a = int\nfor i in range(10**5):\n    a = (a,)\nreturn isinstance('x', a)",
        "eval": "def f():\n    return eval('f()')\nreturn f()",
        "exec": "c = 'exec(c)'\nexec(c)\nreturn 1.0",
    }  # fmt: skip
    answers = (
        "deep equality",
        "deep repr",
        "deep copy",
        "deep hash",
        "deep isinstance",
        "decorator",
    )
    for name, work in calls.items():
        yield Hostile(f"recursion {name}", function(work), name in answers)
    nests = {
        "brackets": lambda n: "(" * n + "1" + ")" * n,
        "lists": lambda n: "[" * n + "]" * n,
        "minus": lambda n: "-" * n + "1",
        "not": lambda n: "not " * n + "1",
        "lambda": lambda n: "lambda: " * n + "1",
        "calls": lambda n: "str(" * n + "1" + ")" * n,
        "sum": lambda n: "1" + "+1" * n,
        "power": lambda n: "1" + "**1" * n,
        "attributes": lambda n: "input" + ".a" * n,
        "subscripts": lambda n: "input" + "[0]" * n,
        "choices": lambda n: "1 if input else " * n + "1",
        "dicts": lambda n: "{1:" * n + "1" + "}" * n,
        "comparisons": lambda n: "1" + "<2" * n,
        "f-strings": lambda n: 'f"{' * n + "1" + '}"' * n,
        "comprehensions": lambda n: "[" * n + "1" + " for i in [1]]" * n,
        "walrus": lambda n: "(x := " * n + "1" + ")" * n,
    }
    for (name, make), size in product(nests.items(), (50, 1000, 12_000)):
        yield Hostile(f"nesting {name} {size}", function(f"return {make(size)}"), True)
    deep = "".join(f"{' ' * level}if 1:\n" for level in range(300)) + " " * 300 + "pass\n"
    yield Hostile("nesting blocks", deep + function("return 1.0"))
    classes = "".join(f"{' ' * level}class C:\n" for level in range(90)) + " " * 90 + "pass\n"
    yield Hostile("nesting classes", classes + function("return 1.0"), True)
    yield Hostile("many lines", "x = 1\n" * 20_000 + function("return 1.0"))
    yield Hostile("one long line", "x = '" + "a" * 70_000 + "'\n" + function("return 1.0"))


# --- the machine: files, settings, other programs, the network ---------------------------------------

FILES: Final = (
    SECRET_FILE,
    "/etc/passwd",
    "/proc/self/environ",
    "/proc/1/environ",
    "../../../../etc/passwd",
    "catalog.sqlite",
    "/dev/zero",
)

WAYS_TO_A_FILE: Final = {
    "open": "return open({path!r}).read()",
    "open to write": "open({path!r} + '.new', 'w').write('x')\nreturn 1.0",
    "open in with": "with open({path!r}, 'rb') as f:\n    return str(f.read(100))",
    "builtins": "return __builtins__['open']({path!r}).read()",
    "eval": "return eval('open')({path!r}).read()",
    "getattr": "return getattr(__builtins__, 'op' + 'en')({path!r}).read()",
    "pathlib by import": "p = __import__('pathlib').Path({path!r})\nreturn p.read_text()",
    "pathlib exec": "exec('from pathlib import Path')\nreturn eval('Path')({path!r}).read_text()",
}

MODULES: Final = (
    "os", "sys", "socket", "subprocess", "pathlib", "shutil", "ctypes", "importlib", "urllib.request", "http.client",
    "multiprocessing", "threading", "signal", "gc", "inspect", "builtins", "io", "tempfile", "sqlite3", "pickle",
    "marshal", "asyncio", "tracestore", "pydantic_monty", "httpx", "resource", "pty", "platform", "getpass", "site",
)  # fmt: skip

SETTINGS: Final = (
    "import os\nreturn dict(os.environ)",
    "return dict(__import__('os').environ)",
    "return __import__('os').getenv('TRACESTORE_SANDBOX_SECRET')",
    "exec('import os')\nreturn eval('os.environ')['TRACESTORE_SANDBOX_SECRET']",
    "return __import__('sys').argv",
    "return __import__('sys').path",
    "return str(__import__('sys').modules)",
    "return __import__('os').listdir('/')",
    "return __import__('os').getcwd()",
    "return __import__('os').system('id')",
    "return __import__('os').popen('id').read()",
    "return __import__('os').getpid()",
    "return str(__import__('os').uname())",
    "return __import__('platform').node()",
    "return __file__",
    "return input('say: ')",
    "breakpoint()",
    "return input",
    "exit(1)",
    "quit()",
    "raise SystemExit(3)",
    "return str(help)",
)


def _machine() -> Iterator[Hostile]:
    for path, (name, work) in product(FILES, WAYS_TO_A_FILE.items()):
        yield Hostile(f"file {name} {path}", function(work.format(path=path)))
    for module in MODULES:
        top = module.partition(".")[0]
        yield Hostile(f"import {module}", f"import {module}\n" + function("return 1.0"))
        yield Hostile(f"import in {module}", function(f"import {module} as m\nreturn str(m)"))
        yield Hostile(f"import from {module}", f"from {module} import *\n" + function("return 1.0"))
        yield Hostile(
            f"import by name {module}", function(f"return str(__import__({top!r}))"), True
        )
    for number, work in enumerate(SETTINGS):
        before = "import os\n" if work.startswith("import os") else ""
        yield Hostile(f"settings {number}", before + function(work), True)


# --- looking into what runs it -----------------------------------------------------------------------

LOOKS: Final = (
    "().__class__.__bases__[0].__subclasses__()",
    "().__class__.__base__.__subclasses__()",
    "type(()).mro()[-1].__subclasses__()",
    "[c for c in object.__subclasses__() if 'wrap' in c.__name__]",
    "score.__globals__",
    "score.__code__.co_consts",
    "score.__closure__",
    "score.__builtins__",
    "score.__defaults__",
    "(lambda: 0).__globals__['__builtins__']",
    "globals()",
    "locals()",
    "vars()",
    "dir(__builtins__)",
    "__builtins__",
    "__loader__.load_module('os')",
    "__spec__.loader",
    "__import__('sys')._getframe()",
    "__import__('sys')._current_frames()",
    "__import__('gc').get_objects()",
    "__import__('inspect').stack()",
    "(i for i in ()).gi_frame.f_back.f_globals",
    "(lambda: (yield))().gi_code",
    "'{0.__class__.__init__.__globals__}'.format(score)",
    "'{.__globals__}'.format(score)",
    "f'{score.__globals__}'",
    "'%(a)s' % {'a': score.__globals__}",
    "getattr(score, '__glo' + 'bals__')",
    "object.__getattribute__(score, '__globals__')",
    "type.__getattribute__(int, '__subclasses__')()",
    "int.__subclasscheck__",
    "type('X', (), {'__del__': lambda s: None})().__reduce_ex__(2)",
    "compile('1', '', 'eval')",
    "eval('__import__(\"os\").environ')",
    "exec('import os; print(os.environ)')",
    "memoryview(b'abc').obj",
    "str.__init_subclass__",
    "print.__self__",
    "len.__self__.open",
    "[].append.__self__.__class__.__base__",
    "json_module.codecs.builtins",
    "json_module.__loader__",
    "json_module.decoder.scanner.c_make_scanner.__globals__",
    "math_module.__spec__.origin",
    "re_module.sys.modules",
    "_sandbox_json",
    "_sandbox_arguments",
    "id(object())",
    "hash('a')",
    "repr(score)",
    "repr(object())",
)


def _looks() -> Iterator[Hostile]:
    before = "import json as json_module\nimport math as math_module\nimport re as re_module\n"
    for number, look in enumerate(LOOKS):
        yield Hostile(f"look {number} {look[:40]}", function(f"return str({look})", before), True)
    frames = "try:\n    1 // 0\nexcept ZeroDivisionError as error:\n    return str(error.__traceback__.tb_frame.{})"
    for name in ("f_globals", "f_back", "f_builtins", "f_code.co_filename", "f_locals"):
        yield Hostile(f"look into frame {name}", function(frames.format(name)))
    replaced = {
        "dumps": "import json\njson.dumps = lambda *a, **k: 'x' * 10**6\nreturn 1.0",
        "dumps global": "import json\nglobal _sandbox_json\n_sandbox_json = None\nreturn 1.0",
        "builtins": "__builtins__['len'] = lambda x: 0\nreturn 1.0",
        "class of number": "int.__add__ = lambda a, b: 0\nreturn 1.0",
        "own text": "class T(str):\n    def __str__(self):\n        return 'x' * 10**7\nreturn T('a')",
        "own dict": "class D(dict):\n    def items(self):\n        while True:\n            yield 'a', 1\nreturn D(a=1)",
        "own list": "class L(list):\n    def __iter__(self):\n        while True:\n            yield 1\nreturn L([1])",
        "own number": "class F(float):\n    def __repr__(self):\n        return 'x' * 10**7\nreturn F(1)",
        "score itself": "global score\nscore = None\nreturn 1.0",
    }
    for name, work in replaced.items():
        yield Hostile(f"replace {name}", function(work), True)


# --- exceptions, patterns, texts, generators ---------------------------------------------------------


def _others() -> Iterator[Hostile]:
    raises = {
        "huge": "raise ValueError('a' * 10**6)",
        "objects": "raise ValueError(score, object(), [score] * 1000)",
        "input": "raise ValueError(input, output, expected, metadata)",
        "own class": "class E(Exception):\n    def __init__(self, *a):\n        self.stolen = globals()\nraise E(1)",
        "own text": "class E(Exception):\n    def __str__(self):\n        while True:\n            pass\nraise E()",
        "huge text": "class E(Exception):\n    def __str__(self):\n        return 'a' * 10**8\nraise E()",
        "recursive text": "class E(Exception):\n    def __repr__(self):\n        return repr(self)\n    __str__ = __repr__\nraise E()",
        "chain": "e = None\nfor i in range(10**5):\n    try:\n        raise ValueError(i) from e\n    except ValueError as caught:\n        e = caught\nraise e",
        "not an exception": "raise 1",
        "class of none": "raise None",
        "exit": "raise SystemExit(0)",
        "interrupt": "raise KeyboardInterrupt",
        "generator exit": "raise GeneratorExit",
        "stop": "raise StopIteration(score)",
        "stop in generator": "def g():\n    raise StopIteration\n    yield\nreturn list(g())",
        "assert": "assert False, 'a' * 10**6",
        "nested finally": "try:\n    raise ValueError('a')\nfinally:\n    raise KeyError('b' * 10**6)",
        "group": "raise ExceptionGroup('g', [ValueError(i) for i in range(10**4)])",
        "memory by name": "raise MemoryError('made up')",
        "timeout by name": "raise TimeoutError('made up')",
        "path": "raise FileNotFoundError('/etc/passwd')",
        "line feeds": "raise ValueError('\\n'.join(['line 1: fine'] * 10**4))",
        "terminal": "raise ValueError('\\x1b[2J\\x1b]0;owned\\x07')",
        "none given": "raise",
        "after result": "import json\nclass E:\n    pass\nreturn [1, E()]",
    }  # fmt: skip
    for name, work in raises.items():
        yield Hostile(f"raise {name}", function(work))
    patterns = (
        "(a+)+$", "(a|aa)+$", "(a|a)*$", "(.*)*x", "([a-zA-Z]+)*$", "(a*)*b", "(a+){{10}}$", "^(a?){{30}}a{{30}}$",
        "(?=(a+))a*b", "(a+)\\1+$", "(x+x+)+y", "a{{1,1000000000}}", "((a{{1,100}}){{1,100}}){{1,100}}", "(?:a?){{1000}}b",
    )  # fmt: skip
    for pattern, size in product(patterns, (30, 5000, 10**6)):
        text = pattern.replace("{{", "{").replace("}}", "}")
        work = f"import re\nreturn bool(re.search({text!r}, 'a' * {size} + '!'))"
        yield Hostile(f"pattern {text} {size}", function(work), True)
    texts = {
        "null in source": function("return 'a\0b'"),
        "form feed": "\f\f" + function("return 1.0"),
        "byte order mark": "\ufeff" + function("return 1.0"),
        "surrogate in source": function("return '\ud800'"),
        "right to left name": function("\u202e = 1\nreturn 1.0"),
        "other letters": function("ⅰmport = 1\nreturn ｅval('1')"),
        "long name": function(f"{'a' * 30_000} = 1\nreturn 1.0"),
        "normal form": function("import unicodedata\nreturn unicodedata.normalize('NFKD', '\ufdfa' * 10**6)"),
        "unknown escape": function("return '\\N{NO SUCH NAME}'"),
        "casefold": function("x = 'ß' * 10**6\nfor i in range(10):\n    x = (x + x).upper()\nreturn x"),
        "combining": function("return len('e' + '\u0301' * 10**8)"),
        "encode": function("return ('\\U0001f600' * 10**7).encode('utf-32').decode('latin-1')"),
        "unclosed": "def score(input:\n    return 1\n",
        "unclosed text": function("return 'abc"),
        "tabs and spaces": "def score(input):\n\tif 1:\n        return 1\n",
        "nothing": "",
        "no function": "x = 1\n",
        "async function": "async def score(input):\n    return 1.0\n",
        "class for function": "class score:\n    pass\n",
        "generator function": "def score(input):\n    yield 1.0\n",
        "wants more": "def score(input, secret):\n    return secret\n",
        "coding": "# -*- coding: rot13 -*-\n" + function("return 1.0"),
        "return outside": "return 1\n" + function("return 1.0"),
        "star everything": function("a, *b = range(10**9)\nreturn 1.0"),
        "match": function("match input:\n    case {'a': {'b': x}}:\n        return x\n    case _:\n        while True:\n            pass"),
    }  # fmt: skip
    fine = {
        "form feed",
        "byte order mark",
        "other letters",
        "long name",
        "coding",
        "surrogate in source",
    }
    may = fine | {"right to left name", "combining", "encode", "casefold", "normal form"}
    for name, code in texts.items():
        yield Hostile(f"text {name}", code, name in may)
    generators = {
        "endless list": "def g():\n    while True:\n        yield 1\nreturn list(g())",
        "endless zip": "import itertools\nreturn list(zip(itertools.count(), itertools.count()))",
        "send": "def g():\n    while True:\n        x = yield\nh = g()\nnext(h)\nwhile True:\n    h.send(h)",
        "itself": "def g():\n    yield from h\nh = g()\nreturn list(h)",
        "closing": "def g():\n    try:\n        yield 1\n    finally:\n        while True:\n            pass\nnext(g())\nreturn 1.0",
        "never closed": "def g():\n    while True:\n        try:\n            yield\n        except BaseException:\n            pass\nh = g()\nnext(h)\nh.close()\nreturn 1.0",
        "cycle": "import itertools\nfor i in itertools.cycle([1]):\n    pass",
        "reduce": "import functools\nreturn functools.reduce(lambda a, b: a + a, range(100), [1])",
        "chain": "import itertools\nx = iter([1])\nfor i in range(10**5):\n    x = itertools.chain(x)\nreturn list(x)",
        "map of map": "x = [1]\nfor i in range(10**5):\n    x = map(lambda v: v, x)\nreturn list(x)",
        "cache": "import functools\n@functools.cache\ndef f(n):\n    return 'a' * 1000\nwhile True:\n    f(len(str(id(object()))))",
        "await": "import asyncio\nasync def f():\n    while True:\n        await asyncio.sleep(0)\nasyncio.run(f())",
        "iter": "return list(iter(int, 1))",
        "callable class": "class C:\n    def __call__(self):\n        return self()\nreturn C()()",
        "next": "class C:\n    def __iter__(self):\n        return self\n    def __next__(self):\n        return 1\nreturn list(C())",
        "getitem": "class C:\n    def __getitem__(self, i):\n        return i\nreturn list(C())",
        "contains": "class C:\n    def __contains__(self, i):\n        while True:\n            pass\nreturn 1 in C()",
        "comparison": "class C:\n    def __lt__(self, o):\n        while True:\n            pass\nreturn sorted([C(), C()])",
        "context": "class C:\n    def __enter__(self):\n        return self\n    def __exit__(self, *a):\n        while True:\n            pass\nwith C():\n    return 1.0",
        "bool": "class C:\n    def __bool__(self):\n        while True:\n            pass\nif C():\n    return 1.0",
        "statistics": "import statistics\nreturn statistics.mean(range(10**12))",
        "date": "import datetime\nx = datetime.datetime(1, 1, 1)\nwhile True:\n    x += datetime.timedelta(microseconds=1)",
        "decimal": "import decimal\ndecimal.getcontext().prec = 10**9\nreturn str(decimal.Decimal(1) / 7)",
        "fractions": "import fractions\nx = fractions.Fraction(1, 3)\nwhile True:\n    x = x * x + 1",
        "random": "import random\nreturn random.sample(range(10**12), 10**9)",
        "JSON": "import json\nreturn json.loads('[' * 10**5)",
        "JSON long": "import json\nreturn json.loads('[' + '1,' * 10**7 + '1]')",
        "base64": "import base64\nreturn len(base64.b64encode(b'a' * 10**9))",
        "hash": "import hashlib\nx = b'a'\nwhile True:\n    x = hashlib.sha256(x).digest()",
        "textwrap": "import textwrap\nreturn textwrap.fill('a ' * 10**7, 1)",
        "csv": "import csv\nreturn list(csv.reader(['a,' * 10**7]))",
        "difflib": "import difflib\nreturn 1.0",
    }  # fmt: skip
    for name, work in generators.items():
        may_answer = name in {
            "itself",
            "chain",
            "map of map",
            "JSON",
            "statistics",
            "reduce",
            "bool",
        }
        yield Hostile(f"work {name}", function(work), may_answer)


def cases() -> list[Hostile]:
    """Returns every case; names are distinct."""
    made = [*_loops(), *_memory(), *_recursion(), *_machine(), *_looks(), *_others()]
    assert len({case.name for case in made}) == len(made)
    return made
