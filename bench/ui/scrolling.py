"""How long a frame takes while something scrolls: of a page that is empty, and of a trace of 100,000 spans.

Headless Chromium without a graphics card draws in software, on the cores that run the page and the server. What an
empty page takes there is the floor that no page of ours can be under.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from playwright.sync_api import CDPSession, Page

WHEEL_PIXELS_S: Final = 6000
"""Pixels a second of a wheel that is turned fast: 250 rows of a trace."""

WHEEL_PIXELS: Final = 24_000
"""Pixels of one measurement by wheel: four seconds, so 240 frames of a screen that is drawn 60 times a second."""

LEAP_PIXELS: Final = 2400
"""Pixels of a leap: more than a screen, so that no row of the frame before is there in the next."""

LEAPS: Final = 240

COUNT: Final = """() => {
  window.frames_ms = [];
  let last = 0;
  window.counting = true;
  const count = (now) => {
    if (!window.counting) return;
    if (last) window.frames_ms.push(now - last);
    last = now;
    requestAnimationFrame(count);
  };
  requestAnimationFrame(count);
}"""

COUNTED: Final = "() => { window.counting = false; return window.frames_ms.sort((a, b) => a - b); }"

LEAP: Final = """async ([selector, step, leaps]) => {
  const box = document.querySelector(selector);
  for (let i = 1; i <= leaps; i++) {
    box.scrollTop = i * step;
    await new Promise(requestAnimationFrame);
  }
}"""

EMPTY: Final = (
    "<style>html,body{margin:0;height:100%}#box{height:100%;overflow:auto}</style>"
    "<div id=box><div style='height:3000000px'></div></div>"
)


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one measurement.

    Attributes:
        p50_ms: milliseconds between two frames, the middle one.
        p95_ms: milliseconds that 95 of 100 do not exceed.
        work_ms: milliseconds a frame in which the page's thread was busy: scripts, styles, layout, paint.
    """

    p50_ms: float
    p95_ms: float
    work_ms: float


def by_wheel(page: Page, selector: str) -> Frames:
    """Returns the frames while a wheel scrolls an element."""
    box = page.locator(selector).bounding_box()
    if box is None:
        raise AssertionError(f"BUG: {selector} is not on the page")
    at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}

    def turned(session: CDPSession) -> None:
        gesture = {
            "yDistance": -WHEEL_PIXELS,
            "speed": WHEEL_PIXELS_S,
            "gestureSourceType": "mouse",
        }
        session.send("Input.synthesizeScrollGesture", {**at, **gesture})

    return _counted(page, turned)


def by_leaps(page: Page, selector: str) -> Frames:
    """Returns the frames while an element leaps by more than a screen in each."""
    return _counted(page, lambda _: page.evaluate(LEAP, [selector, LEAP_PIXELS, LEAPS]))


def _counted(page: Page, work: Callable[[CDPSession], object]) -> Frames:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    before = _busy_seconds(session)
    page.evaluate(COUNT)
    work(session)
    times: list[float] = page.evaluate(COUNTED)
    busy_ms = (_busy_seconds(session) - before) * 1000
    session.detach()
    return Frames(times[len(times) // 2], times[int(len(times) * 0.95)], busy_ms / len(times))


def _busy_seconds(session: CDPSession) -> float:
    metrics: list[dict[str, Any]] = session.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))
