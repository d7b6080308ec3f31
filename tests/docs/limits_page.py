"""Writes docs/guide/limits.md from `tracestore/limits.py`: `python tests/docs/limits_page.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tracestore import limits

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "guide" / "limits.md"

HEAD = """# Limits

Every bound of the store, made from `tracestore/limits.py`. Bounds of a server are in [serving.md](serving.md).
What is beyond a bound is refused or kept in another form and counted; it is never lost in silence.
"""

_SECTION = re.compile(r"^# --- (.+?) -+$")
_CONSTANT = re.compile(r"^([A-Z][A-Z_0-9]*): Final\b.* =")


def page() -> str:
    """Returns the page as the code makes it."""
    lines = [HEAD]
    reason: list[str] = []
    for line in Path(limits.__file__).read_text(encoding="utf-8").splitlines():
        section = _SECTION.match(line)
        constant = _CONSTANT.match(line)
        if section:
            lines += [
                f"\n## {section[1].capitalize()}\n",
                "| limit | value | why |",
                "|---|---|---|",
            ]
            reason = []
        elif constant:
            told = " ".join(reason).replace("|", "\\|")
            lines.append(f"| `{constant[1]}` | {shown(constant[1])} | {told} |")
        elif line.startswith("# "):
            reason.append(line[2:])
        elif not line:
            reason = []
    return "\n".join(lines) + "\n"


def shown(name: str) -> str:
    """Returns a limit in the unit in which a person reads it."""
    value = getattr(limits, name)
    if "BYTES" in name and isinstance(value, int):
        for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
            if value >= size and value % size == 0:
                return f"{value // size} {unit}"
        return f"{value:,} bytes"
    if "SECONDS" in name:
        return f"{value:g} s"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def names_without_reason() -> Iterator[str]:
    """Yields the limits of which nobody says why."""
    for name, told in re.findall(r"^\| `(\w+)` \| .*? \| (.*) \|$", page(), re.MULTILINE):
        if not told:
            yield name


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
