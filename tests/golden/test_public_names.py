"""What programs were written against is still there: names, parameters, routes and the fields of their bodies."""

from __future__ import annotations

import json
from pathlib import Path

from golden.write_public_names import NAMES, ROUTES, public_names, routes


def test_every_public_name_takes_what_it_took() -> None:
    now = public_names()
    changed = []
    for name, parameters in json.loads(NAMES.read_text()).items():
        if name not in now:
            changed.append(f"{name} is gone")
            continue
        taken = now[name]
        if parameters is None or taken is None:
            if (parameters is None) != (taken is None):
                changed.append(f"{name} is called no more, or only now")
            continue
        changed += [
            f"{name}: {parameter} was {kind}, is {taken.get(parameter)}"
            for parameter, kind in parameters.items()
            if taken.get(parameter) not in {kind, f"{kind}?"}
        ]
        changed += [
            f"{name}: {parameter} is asked for since"
            for parameter, kind in taken.items()
            if parameter not in parameters and not kind.endswith("?") and kind != "rest"
        ]
        places = [
            p for p, kind in parameters.items() if kind.rstrip("?") in {"either", "positional"}
        ]
        kept = [p for p, kind in taken.items() if kind.rstrip("?") in {"either", "positional"}]
        if kept[: len(places)] != places:
            changed.append(f"{name}: {places} stand in another order")
    assert changed == []


def test_every_route_takes_what_it_took(tmp_path: Path) -> None:
    now = routes(tmp_path)
    changed = []
    for route, taken in json.loads(ROUTES.read_text()).items():
        if route not in now:
            changed.append(f"{route} is gone")
            continue
        for where in ("parameters", "body"):
            before, after = taken[where], now[route][where]
            changed += [f"{route}: {where} {name} is gone" for name in before if name not in after]
            changed += [
                f"{route}: {where} {name} is asked for since"
                for name, required in after.items()
                if required and not before.get(name, False)
            ]
    assert changed == []
