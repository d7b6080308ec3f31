"""Standard error as a terminal shows it: bars, and what is being waited for. Lines go through `printing`."""

from __future__ import annotations

from rich.console import Console

err = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
