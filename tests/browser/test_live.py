"""The live views: the grid, one camera with its overlay, WebRTC and JPEG frames, a server that restarts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Console, open_page
from tests.browser.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("starter_weights")]

SIZE = (640, 360)
SQUARE_PX, STEP_PX = 80, 6
TRAVEL_PX = 504
SQUARE_CAMERA = """\
detector: {{name: {folder}/boxes.txt}}
cameras:
  square: {{source: {{uri: {folder}/square.mp4, live: true}}, overlay: detected, analytics: {{zones: [
    {{name: left, points: [[0.05, 0.1], [0.45, 0.1], [0.45, 0.9], [0.05, 0.9]]}}]}}}}
"""
LOST = """\
detector: {name: starter, workers: 1}
cameras:
  gone: {source: {uri: "rtsp://127.0.0.1:9/stream", live: true}}
"""
REMEMBER_BOXES = """
const draw = CanvasRenderingContext2D.prototype.strokeRect;
CanvasRenderingContext2D.prototype.strokeRect = function (...box) { window.lastBox = box; draw.apply(this, box); };
"""
COMPARE = """async (count) => {
  const video = document.querySelector("video"), canvas = new OffscreenCanvas(640, 360);
  const context = canvas.getContext("2d", { willReadFrequently: true }), found = [];
  await new Promise((done) => {
    let shown;
    const compare = (rtp, centre) => {  // the boxes of a frame may arrive after it; 50 ms later the next one is there
      const scale = 640 / document.querySelector(".stage").clientWidth, [left, , width] = window.lastBox ?? [];
      if (shown === rtp && width) found.push([centre, scale * (left + width / 2)]);
      if (found.length >= count) done();
    };
    const look = (_, { rtpTimestamp }) => {
      shown = rtpTimestamp;
      context.drawImage(video, 0, 0, 640, 360);
      const row = context.getImageData(0, 180, 640, 1).data;
      const lit = [...Array(640).keys()].filter((x) => row[4 * x] > 128);
      if (lit.length) setTimeout(compare, 30, rtpTimestamp, (lit[0] + lit.at(-1) + 1) / 2);
      if (found.length < count) video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  });
  return found;
}"""


def left_px(number: int) -> int:
    """Where the square is on a frame: it goes right and left again."""
    at = number * STEP_PX % (2 * TRAVEL_PX)
    return 20 + min(at, 2 * TRAVEL_PX - at)


def write_square(folder: Path) -> str:
    """A bright square that moves over a dark picture, and its exact boxes; returns the settings of a site."""
    top = (SIZE[1] - SQUARE_PX) // 2
    rows = []
    with av.open(str(folder / "square.mp4"), "w") as output:
        stream = output.add_stream("libx264", rate=20, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number in range(20 * 120):
            grey = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
            grey[top : top + SQUARE_PX, left_px(number) : left_px(number) + SQUARE_PX] = 235
            output.mux(stream.encode(av.VideoFrame.from_ndarray(grey, "rgb24")))
            rows.append(f"{number + 1},-1,{left_px(number)},{top},{SQUARE_PX},{SQUARE_PX},0.9,-1,-1,-1\n")
        output.mux(stream.encode(None))
    (folder / "boxes.txt").write_text("".join(rows), encoding="utf-8")
    return SQUARE_CAMERA.format(folder=folder)


@pytest.fixture
def square(make_site: Callable[..., Site], tmp_path: Path) -> Site:
    """A site whose camera `square` shows a moving square with exact boxes."""
    return make_site(write_square(tmp_path))


@pytest.fixture
def without_udp(launch: Callable[..., Browser], console: Console) -> Iterator[Page]:
    """A page of a browser whose WebRTC may not send UDP."""
    browser = launch("--webrtc-ip-handling-policy=disable_non_proxied_udp")
    yield from open_page(browser, console)
    browser.close()


def test_boxes_are_drawn_on_the_frame_that_they_belong_to(square: Site, page: Page) -> None:
    page.add_init_script(REMEMBER_BOXES)
    page.goto(f"{square.url}#/live/square")
    expect(page.locator(".way")).to_have_text("WebRTC")
    squares, boxes = np.array(page.evaluate(COMPARE, 80)).T
    direction = np.sign(np.diff(squares))
    assert np.count_nonzero(direction) > 40  # it moves
    behind_px = direction * (squares - boxes)[1:]  # by how much boxes follow the square that is on the screen
    assert abs(np.median(behind_px)) < STEP_PX / 4  # `overlay: detected`: each box was detected on its own frame


def test_jpeg_frames_take_over_where_udp_is_blocked(square: Site, without_udp: Page) -> None:
    page = without_udp
    page.goto(f"{square.url}#/live/square")
    expect(page.locator(".way")).to_contain_text("JPEG frames instead of WebRTC")
    expect(page.locator(".way")).to_contain_text("A firewall or a container may block the UDP ports")
    assert_moves(page)
    page.get_by_role("button", name="Try WebRTC again").click()
    assert_moves(page)


def test_the_page_is_back_after_a_restart_of_the_server(square: Site, page: Page, console: Console) -> None:
    console.allow("WebSocket connection", "net::ERR_")  # the server is away
    page.goto(f"{square.url}#/live/square")
    expect(page.locator(".way")).to_have_text("WebRTC")
    square.stop(kill=True)
    expect(page.locator("#connection")).to_have_text(re.compile("connects again by itself"))
    square.start()
    expect(page.locator("#connection")).to_be_hidden()
    expect(page.locator(".way")).to_have_text("WebRTC")
    assert_moves(page)


def test_settings_of_the_overlay_are_kept_in_the_browser(square: Site, page: Page) -> None:
    page.goto(f"{square.url}#/live/square")
    assert_overlay(page, is_drawn=True)
    page.get_by_role("slider").fill("95")  # above the score of the square
    page.get_by_label("Lines and zones").uncheck()
    assert_overlay(page, is_drawn=False)
    page.reload()
    expect(page.get_by_role("slider")).to_have_value("95")
    expect(page.get_by_label("Lines and zones")).not_to_be_checked()
    expect(page.locator(".way")).to_have_text("WebRTC")
    assert_overlay(page, is_drawn=False)


def test_a_snapshot_is_downloaded(square: Site, page: Page, tmp_path: Path) -> None:
    page.goto(f"{square.url}#/live/square")
    expect(page.locator(".way")).to_have_text("WebRTC")
    for name, press in (("newest.jpg", None), ("shown.jpg", "Pause")):
        if press:
            page.get_by_role("button", name=press).click()
        with page.expect_download() as download:
            page.get_by_role("button", name="Snapshot").click()
        assert re.fullmatch(r"square-[\dT-]+Z\.jpg", download.value.suggested_filename)
        download.value.save_as(tmp_path / name)
        with av.open(str(tmp_path / name)) as opened:
            frame = next(opened.decode(video=0))
        assert (frame.width, frame.height) == SIZE
        assert colours_in(frame) > 0  # the box of the square, and the zone


def test_a_snapshot_that_the_server_refuses_says_why(square: Site, page: Page, console: Console) -> None:
    console.allow("/snapshot.jpg?boxes=true")
    page.goto(f"{square.url}#/live/square")
    expect(page.locator(".stage.shown")).to_be_visible()
    problem = {"title": "No frame", "detail": "The camera has no frame yet."}
    page.route("**/snapshot.jpg*", lambda route: route.fulfill(status=503, json=problem))
    for _ in range(2):
        page.get_by_role("button", name="Snapshot").click()
        expect(page.get_by_role("alert")).to_have_count(1)  # said once
    expect(page.get_by_role("alert")).to_contain_text("The camera has no frame yet.")


def test_a_pause_keeps_the_picture_and_ends_the_connection(square: Site, page: Page) -> None:
    page.goto(f"{square.url}#/live/square")
    expect(page.locator(".way")).to_have_text("WebRTC")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".way")).to_have_text("Paused")
    assert page.evaluate(PICTURE) == page.evaluate(f"new Promise((go) => setTimeout(() => go(({PICTURE})()), 400))")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".way")).to_have_text("WebRTC")
    assert_moves(page)


def test_each_camera_has_a_tile_that_opens_it(site: Site, page: Page) -> None:
    page.goto(site.url)
    expect(page.get_by_role("listitem")).to_have_count(2)
    for name in ("door", "yard"):
        tile = page.get_by_role("listitem").filter(has_text=name)
        expect(tile).to_contain_text("Running")
        expect(tile.locator(".stage.shown")).to_be_visible()
        expect(tile).to_contain_text(re.compile(r"\d fps, [\d.]+ m?s old"))
    page.keyboard.press("Tab")
    page.get_by_role("link", name=re.compile("door")).press("Enter")
    expect(page.get_by_role("heading", name="door")).to_be_visible()


def test_a_tile_without_a_picture_says_so(site: Site, page: Page) -> None:
    page.route_web_socket("**/frames*", lambda _: None)
    page.goto(site.url)
    tile = page.locator(".tile").first
    expect(tile).to_contain_text("Running", timeout=60_000)  # the first camera loads the detector
    assert "No picture yet" in tile.locator(".stage").evaluate("(stage) => getComputedStyle(stage, '::before').content")


def test_tiles_play_while_they_are_on_the_screen(make_site: Callable[..., Site], page: Page) -> None:
    cameras = "".join(
        f'  c{at}: {{source: {{uri: "lavfi:testsrc2=size=64x36:rate=5", live: true}}}}\n' for at in range(6)
    )
    site = make_site(f"detector: {{name: starter, workers: 1}}\ncameras:\n{cameras}")
    page.set_viewport_size({"width": 390, "height": 500})
    page.goto(site.url)
    first, last = page.get_by_role("listitem").first, page.get_by_role("listitem").last
    expect(first.locator(".stage.shown")).to_be_visible()
    expect(last.locator(".stage.shown")).to_have_count(0)
    last.scroll_into_view_if_needed()
    expect(last.locator(".stage.shown")).to_be_visible()


def test_a_camera_that_is_not_connected_says_why_and_since_when(make_site: Callable[..., Site], page: Page) -> None:
    page.goto(make_site(LOST).url)
    expect(page.get_by_role("listitem")).to_contain_text(re.compile(r"No connection since .*No server listens", re.S))


def test_a_first_start_offers_two_choices(make_site: Callable[..., Site], page: Page) -> None:
    page.goto(make_site("cameras: {}\n").url)
    expect(page.get_by_role("link", name="Use my camera")).to_have_attribute("href", "#/my-camera")
    expect(page.get_by_role("link", name="Add a camera or file")).to_have_attribute("href", "#/cameras?add")


def test_a_camera_that_has_shown_nothing_yet_is_no_fault_of_webrtc(make_site: Callable[..., Site], page: Page) -> None:
    site = make_site(LOST)
    page.clock.install()
    page.goto(f"{site.url}#/live/gone")
    way = page.locator(".way")
    expect(way).to_have_text("Connecting")
    page.clock.run_for(20_000)
    expect(way).to_have_text("Connecting")


def test_video_that_does_not_come_over_an_open_connection_blames_no_firewall(site: Site, page: Page) -> None:
    page.add_init_script("HTMLVideoElement.prototype.requestVideoFrameCallback = () => 0")
    page.goto(f"{site.url}#/live/door")
    expect(page.locator(".way")).to_contain_text("JPEG frames instead of WebRTC")
    expect(page.locator(".way")).to_contain_text("WebRTC is connected, but the server sends no video")


PICTURE = """() => {
  const canvas = document.createElement("canvas"), video = document.querySelector("video");
  [canvas.width, canvas.height] = [64, 36];
  const context = canvas.getContext("2d");
  context.drawImage(video.hidden ? document.querySelector(".still") : video, 0, 0, 64, 36);
  return canvas.toDataURL();
}"""
CHANGES = f"""async () => {{
  const first = ({PICTURE})();
  while (({PICTURE})() === first) await new Promise((go) => setTimeout(go, 50));
}}"""
COLOURED = """() => {
  const canvas = document.querySelector(".overlay");
  return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0);
}"""


def assert_moves(page: Page) -> None:
    """The picture changes; the test hangs if it does not."""
    page.evaluate(CHANGES)


def assert_overlay(page: Page, *, is_drawn: bool) -> None:
    """The overlay of the next frames shows something, or nothing."""
    expect(page.locator(".overlay")).to_be_visible()
    other = "!" if is_drawn else ""
    page.evaluate(f"async () => {{ while ({other}({COLOURED})()) await new Promise(requestAnimationFrame); }}")


def colours_in(frame: av.VideoFrame) -> int:
    """How many pixels are not grey."""
    rgb = frame.to_ndarray(format="rgb24").astype(int)
    return int(np.count_nonzero(rgb.max(axis=2) - rgb.min(axis=2) > 60))
