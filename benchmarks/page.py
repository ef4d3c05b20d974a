"""The page in a real browser: time to the first picture, glass to glass, and how soon it recovers.

    python -m benchmarks.page [--seconds S] [--fps F] [--rounds N] [--json FILE]

The scripted RTSP camera of the fault lab at 1280x720 draws a number into each frame and reports when. `streamer serve`
detects with the starter. Chromium opens the camera; a script in the page reads the numbers back from the video, or from
the JPEG frames, through a canvas. All run on this machine; the browser's clock is compared with that of the machine.
UDP is blocked by a policy of the browser. The server is killed and started again for the recovery.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.clips import machine
from benchmarks.glass_to_glass import milliseconds
from tests.browser.conftest import CHROMIUM
from tests.browser.site import Site
from tests.faults import counter
from tests.faults.camera import Camera

SIZE = (1280, 720)
WITHIN_MS = 60_000
WARM_S = 5.0
SETTINGS = """\
detector: {{name: starter, workers: 1}}
cameras:
  front: {{source: {{uri: "{url}"}}}}
"""
NO_UDP = "--webrtc-ip-handling-policy=disable_non_proxied_udp"
FIRST_PICTURE = """
new MutationObserver(() => {
  if (!window.firstAt && document.querySelector(".stage.shown")) window.firstAt = performance.now();
}).observe(document, { subtree: true, childList: true, attributes: true });
"""
READ_NUMBERS = """async ([seconds, cells, stripPx]) => {
  const video = document.querySelector("video"), still = document.querySelector(".still");
  const canvas = new OffscreenCanvas(1280, stripPx), context = canvas.getContext("2d", { willReadFrequently: true });
  const found = [], until = performance.now() + 1000 * seconds;
  const read = () => {
    const picture = video.hidden ? still : video, wide = video.hidden ? still.width : video.videoWidth;
    const high = video.hidden ? still.height : video.videoHeight;
    context.drawImage(picture, 0, 0, wide, high * stripPx / 720, 0, 0, 1280, stripPx);
    const row = context.getImageData(0, stripPx / 2, 1280, 1).data;
    let text = "";
    for (let cell = 0; cell < cells; cell++) text += row[4 * Math.round((cell + 0.5) * 1280 / cells)] > 125 ? "1" : "0";
    if (found.at(-1)?.[0] !== text) found.push([text, performance.timeOrigin + performance.now()]);
  };
  await new Promise((done) => {
    const look = () => {
      read();
      if (performance.now() > until) done();
      else if (video.hidden) requestAnimationFrame(look);
      else video.requestVideoFrameCallback(look);
    };
    look();
  });
  return found;
}"""


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[Page]:
    """The camera on a fresh page."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(WITHIN_MS)
    page = context.new_page()
    page.add_init_script(FIRST_PICTURE)
    page.goto(f"{url}#/live/front")
    page.locator(".stage.shown").wait_for()
    yield page
    context.close()


def first_picture(browser: Browser, url: str, rounds: int) -> list[float]:
    """Seconds from the start of the navigation to the first picture."""
    found = []
    for _ in range(rounds):
        with opened(browser, url) as page:
            found.append(page.evaluate("window.firstAt") / 1e3)
    return found


def clock_offset_s(page: Page) -> float:
    """What is added to the browser's clock to get the monotonic clock of this machine, seconds."""
    best = (1e9, 0.0)
    for _ in range(50):
        before_s = time.monotonic()
        browser_s = page.evaluate("performance.timeOrigin + performance.now()") / 1e3
        after_s = time.monotonic()
        best = min(best, (after_s - before_s, (before_s + after_s) / 2 - browser_s))
    return best[1]


def glass_to_glass(page: Page, camera: Camera, seconds: float) -> list[float]:
    """Seconds from the camera's drawing of each frame to its picture in the browser."""
    page.wait_for_timeout(1e3 * WARM_S)
    offset_s = clock_offset_s(page)
    strip_px = counter.strip_height_px(SIZE[1])
    seen = page.evaluate(READ_NUMBERS, [seconds, counter.CELLS, strip_px])
    found = []
    for text, at_ms in seen:
        number = number_of(text)
        shot = None if number is None else camera.shot(number)
        if shot is not None:
            found.append(at_ms / 1e3 + offset_s - shot.drawn_s)
    return found


def number_of(text: str) -> int | None:
    """The number of a strip that the page has read, as black and white cells."""
    cells = np.array([255 * int(one) for one in text], np.uint8)
    return counter.read_luma(np.broadcast_to(np.repeat(cells, 10), (90, 480)))


def fallback(browser: Browser, url: str, rounds: int) -> list[float]:
    """Seconds from the start of the navigation to the first JPEG frame with the reason shown, without UDP."""
    found = []
    for _ in range(rounds):
        began_s = time.monotonic()
        with opened(browser, url) as page:
            page.locator(".way").get_by_text("JPEG frames instead of WebRTC").wait_for()
            page.locator(".way").get_by_text("may block the UDP ports").wait_for()
            found.append(time.monotonic() - began_s)
    return found


def recovery(page: Page, site: Site, rounds: int) -> list[float]:
    """Seconds from the message that the page is served again to its next video."""
    found = []
    for _ in range(rounds):
        site.stop(kill=True)
        expect(page.locator("#connection")).to_be_visible(timeout=WITHIN_MS)
        site.start()
        began_s = time.monotonic()
        page.locator("#connection").wait_for(state="hidden")
        found.append(time.monotonic() - began_s)
        expect(page.locator(".way")).to_have_text("WebRTC", timeout=WITHIN_MS)
    return found


def report(results: dict[str, Any], name: str, durations_s: list[float]) -> None:
    """Keep and print the percentiles of a measurement."""
    results[name] = milliseconds(durations_s) | {"count": len(durations_s), "load": round(os.getloadavg()[0], 1)}
    print(f"{name:28} {results[name]}", flush=True)


def measure(folder: Path, camera: Camera, options: argparse.Namespace) -> dict[str, Any]:
    """All measurements, one after the other."""
    results: dict[str, Any] = {}
    site = Site(folder, SETTINGS.format(url=camera.url))
    with ExitStack() as stack:
        stack.callback(site.close)
        site.start()
        launch = stack.enter_context(sync_playwright()).chromium.launch
        browser = launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        without_udp = launch(executable_path=CHROMIUM, args=["--no-sandbox", NO_UDP])
        with opened(browser, site.url) as page:  # the camera and the model are ready
            expect(page.locator(".way")).to_have_text("WebRTC", timeout=WITHIN_MS)
            report(results, "glass to glass, WebRTC", glass_to_glass(page, camera, options.seconds))
        with opened(without_udp, site.url) as page:
            page.locator(".way").get_by_text("JPEG frames instead of WebRTC").wait_for()
            report(results, "glass to glass, JPEG", glass_to_glass(page, camera, options.seconds))
        report(results, "first picture", first_picture(browser, site.url, options.rounds))
        report(results, "UDP blocked: JPEG, reason", fallback(without_udp, site.url, options.rounds))
        with opened(browser, site.url) as page:
            report(results, "server back: page connected", recovery(page, site, options.rounds))
        browser.close()
        without_udp.close()
    return results


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--fps", type=float, default=15.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder, Camera(size=SIZE, fps=options.fps) as camera:
        results = measure(Path(folder), camera, options)
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
