"""When something is first drawn, told by the page itself: nothing between the page and this program is counted."""

from __future__ import annotations

import json
from typing import Any, Final

from playwright.sync_api import Page

WATCH: Final = """(wanted) => {
  const tests = Object.entries(wanted).map(([name, test]) => [name, new Function("return " + test)]);
  const seen = (window.seen = {}), left = new Map(tests);
  const look = () => {
    for (const [name, test] of left) {
      let found = false;
      try { found = !!test(); } catch {}
      if (!found) continue;
      left.delete(name);
      // A frame later it is on the screen; after a task of its own the page answers to the next key.
      requestAnimationFrame(() => setTimeout(() => (seen[name] = performance.now())));
    }
    if (!left.size) watcher.disconnect();
  };
  const watcher = new MutationObserver(look);
  watcher.observe(document, { childList: true, subtree: true, attributes: true });
  look();
}"""
"""Watches the page for conditions and notes when each has come true and was drawn."""


def opened(page: Page, url: str, wanted: dict[str, str]) -> dict[str, float]:
    """Returns the seconds from a navigation until each condition is true and drawn.

    Args:
        page: a page of a context of its own, so that scripts of earlier measurements are not run.
        url: what is opened.
        wanted: conditions in JavaScript by name.
    """
    page.add_init_script(f"({WATCH})({json.dumps(wanted)})")
    page.goto(url, wait_until="commit")
    return waited(page, wanted)


def clicked(page: Page, selector: str, wanted: dict[str, str]) -> dict[str, float]:
    """Returns the seconds from a click on a link of the page until each condition is true and drawn."""
    page.evaluate(WATCH, wanted)
    began = page.evaluate(
        "(selector) => { const at = performance.now(); document.querySelector(selector).click(); return at; }",
        selector,
    )
    return {name: at - began / 1000 for name, at in waited(page, wanted).items()}


def waited(page: Page, wanted: dict[str, str]) -> dict[str, float]:
    """Returns the seconds of the page's clock at which each condition was drawn."""
    page.wait_for_function(
        "(many) => Object.keys(window.seen ?? {}).length === many", arg=len(wanted)
    )
    seen: dict[str, Any] = page.evaluate("window.seen")
    return {name: at / 1000 for name, at in seen.items()}
