"""The events view with 100,000 events in the store, in Chromium.

    python -m benchmarks.events_page [--events 100000] [--rounds 10] [--folder DIR]

A site without cameras serves a store with events of 8 cameras and 4 classes, 10 s apart. In each round a page that is
loaded opens the events view: from the click on its link until the first 60 events are painted. The pictures of these
events do not exist. Then it scrolls 20 pages down, opens the list of one camera and class, and jumps to the middle of
the stored time. Goal: the list opens within 300 ms (median).
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.store import BEGIN, STEP_S, fill
from tests.api.sites import served_site

CHROMIUM = "/usr/bin/chromium"
GOAL_MS = 300
PAGES = 20
_OPENED = """
async ([address, wanted]) => {
  const began = performance.now();
  location.hash = address;
  const shown = () => document.querySelectorAll(".event").length >= wanted;
  while (!shown() || document.querySelector("[aria-busy]")) await new Promise(requestAnimationFrame);
  await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
  return performance.now() - began;
}
"""
_SCROLLED = """
async (pages) => {
  const times = [], count = () => document.querySelectorAll(".event").length;
  for (let page = 0; page < pages; page++) {
    const began = performance.now(), before = count();
    scrollTo(0, document.documentElement.scrollHeight);
    while (count() === before) await new Promise(requestAnimationFrame);
    times.push(performance.now() - began);
  }
  return times;
}
"""


def measure(page: Page, url: str, rounds: int, count: int) -> dict[str, list[float]]:
    """Milliseconds by what was done."""
    middle = (BEGIN + count * STEP_S / 2) * 1000
    times: dict[str, list[float]] = {"list": [], "camera and class": [], "next page": [], "jump": []}
    for _ in range(rounds):
        page.goto(f"{url}#/live")
        page.locator("#view > *").first.wait_for(state="attached")
        times["list"].append(page.evaluate(_OPENED, ["#/events", 60]))
        times["next page"] += page.evaluate(_SCROLLED, PAGES)
        page.evaluate(_OPENED, ["#/live", 0])
        times["camera and class"].append(page.evaluate(_OPENED, ["#/events?camera=camera-3&label=Dog", 60]))
        page.evaluate(_OPENED, ["#/live", 0])
        at = page.evaluate("(time) => new Date(time).toISOString()", middle)
        times["jump"].append(page.evaluate(_OPENED, [f"#/events?at={at}", 60]))
    return times


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--folder", type=Path, help="on the disk that is to be measured")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder, sync_playwright() as playwright:
        events = Path(folder) / "events"
        events.mkdir()
        fill(events, chosen.events, random.Random(1))
        store = {"folder": str(events), "keep_days": None, "min_free_gb": 0}
        with served_site(Path(folder), store=store) as site:
            host, port = site.client.address
            page = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]).new_page()
            times = measure(page, f"http://{host}:{port}/", chosen.rounds, chosen.events)
            page.goto("about:blank")
    for what, found in times.items():
        print(f"{what:16}  median {statistics.median(found):5.0f} ms  longest {max(found):5.0f} ms  of {len(found)}")
    print(f"goal for the list: {GOAL_MS} ms, {'reached' if statistics.median(times['list']) <= GOAL_MS else 'missed'}")


if __name__ == "__main__":
    main()
