"""The cameras on the page: add, try, edit, restart and remove them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Console
from tests.browser.site import CAMERAS, Site
from tests.clips import write_video

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("starter_weights")]

SETTINGS = CAMERAS.replace(
    "  door: {",
    """\
  locked:              # behind the shed
    source: {uri: "rtsp://anna:geheim@127.0.0.1:9/stream1", open_timeout_s: 1}
    detector: {classes: [Person]}
  door: {""",
)
PASSWORD = "geheim"
STARTS_MS = 60_000
"""The first camera loads the detector."""


def cameras_in(file: Path) -> dict[str, Any]:
    """The cameras of a settings file."""
    cameras: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))["cameras"]
    return cameras


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video of 3 s, 320x240, 10 frames per second."""
    return write_video(tmp_path / "My walk.mp4", frames=30, size=(320, 240))


def test_a_first_start_leads_to_a_camera_that_runs(make_site: Callable[..., Site], clip: Path, page: Page) -> None:
    site = make_site(None)
    page.goto(site.url)
    page.get_by_role("link", name="Add a camera or file").click()
    page.get_by_label("Video file").check()
    page.get_by_label("Path").fill(str(clip))
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_text("It works: 320x240")).to_be_visible()
    expect(page.get_by_alt_text("The newest picture")).to_have_js_property("naturalWidth", 320)
    expect(page.get_by_label("Name")).to_have_value("My-walk")
    page.get_by_label("Classes").fill("Person")
    page.get_by_role("button", name="Add camera").click()
    expect(page).to_have_url(f"{site.url}#/live/My-walk", timeout=STARTS_MS)
    (file,) = site.folder.rglob("site.yaml")
    expected = {"source": {"uri": str(clip), "live": True}, "detector": {"classes": ["Person"]}}
    assert cameras_in(file) == {"My-walk": expected}
    assert list(cameras_in(file)["My-walk"]["source"]) == ["uri", "live"]  # as one writes it


def test_the_table_follows_the_cameras(make_site: Callable[..., Site], page: Page) -> None:
    site = make_site(SETTINGS)
    page.goto(f"{site.url}#/cameras")
    row = page.get_by_role("row").filter(has_text="door")
    expect(row).to_contain_text("Running", timeout=STARTS_MS)
    expect(row).to_contain_text("640x360, 15 fps")
    locked = page.get_by_role("row").filter(has_text="locked")
    expect(locked).to_contain_text("Starting")
    expect(locked).to_contain_text("rtsp://127.0.0.1:9/stream1")
    assert PASSWORD not in page.content()
    row.get_by_role("button", name="Restart door").click()
    expect(page.get_by_text("door starts again.")).to_be_visible()


def test_a_camera_is_edited_and_its_password_stays(make_site: Callable[..., Site], page: Page) -> None:
    site = make_site(SETTINGS)
    page.goto(f"{site.url}#/cameras")
    page.get_by_role("link", name="Edit locked").click()
    expect(page.get_by_label("Address")).to_have_value("rtsp://anna:***@127.0.0.1:9/stream1")
    assert PASSWORD not in page.content()
    page.get_by_label("Classes").fill("Person, Vehicle")
    page.get_by_text("Detection rate and recording").click()
    page.get_by_label("Detections per second, at most").fill("2.5")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved locked.")).to_be_visible()
    locked = cameras_in(site.file)["locked"]
    assert locked["source"] == {"uri": f"rtsp://anna:{PASSWORD}@127.0.0.1:9/stream1", "open_timeout_s": 1}
    assert locked["detector"] == {"classes": ["Person", "Vehicle"], "fps": 2.5}
    assert "# behind the shed" in site.file.read_text(encoding="utf-8")


def test_each_mistake_is_told_where_it_is(site: Site, page: Page, console: Console) -> None:
    console.allow("422")
    page.goto(f"{site.url}#/cameras?add")
    add = page.get_by_role("button", name="Add camera")
    add.click()
    address = page.get_by_label("Address")
    expect(address).to_have_attribute("aria-invalid", "true")
    expect(address).to_be_focused()
    address.fill("rtsp://127.0.0.1:9/stream1")
    page.get_by_role("button", name="Test").click()
    expect(address).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#camera-source-uri-fault")).not_to_be_empty()
    page.get_by_label("Name").fill("no name")
    add.click()
    expect(page.locator("#camera-name-fault")).to_contain_text("letters, digits, - and _")
    page.get_by_label("Name").fill("gate")
    page.get_by_label("Classes").fill("Prson")
    add.click()
    expect(page.locator("#camera-detector-classes-fault")).to_contain_text("no class 'Prson'")
    page.get_by_text("All settings").click()
    settings = page.get_by_label("The camera's section of the settings file, as JSON")
    settings.fill('{"source": ')
    add.click()
    expect(page.get_by_text("This is not JSON")).to_be_visible()
    settings.fill('{"source": {"uri": "lavfi:testsrc2=rate=5"}, "detector": {"fps": -1}, "outputz": []}')
    add.click()
    expect(page.locator("#camera-detector-fps-fault")).to_contain_text("greater than 0")
    expect(page.get_by_role("alert")).to_contain_text("outputz: no such setting")
    assert set(cameras_in(site.file)) == {"door", "yard"}


def test_a_refused_login_leads_to_user_and_password(site: Site, page: Page) -> None:
    page.goto(f"{site.url}#/cameras?add")
    reason = "rtsp://127.0.0.1:9/stream1: wrong user or password; give both in the URL, or in the environment"
    page.route("**/api/v1/probe", lambda route: route.fulfill(json={"reason": reason}))
    page.get_by_label("Address").fill("rtsp://127.0.0.1:9/stream1")
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_label("User", exact=True)).to_be_focused()
    expect(page.locator("#camera-source-user-fault")).to_have_text(
        "rtsp://127.0.0.1:9/stream1: wrong user or password."
    )


def test_the_form_and_the_json_show_the_same_settings(site: Site, page: Page) -> None:
    page.goto(f"{site.url}#/cameras?add")
    page.get_by_text("All settings").click()
    page.get_by_label("Webcam").check()
    page.get_by_label("Number or device").fill("0")
    page.get_by_label("Classes").fill("Dog")
    page.get_by_label("Name").focus()
    settings = page.get_by_label("The camera's section of the settings file, as JSON")
    expect(settings).to_have_value(json.dumps({"source": {"uri": "0"}, "detector": {"classes": ["Dog"]}}, indent=2))
    expect(page.get_by_label("Name")).to_have_value("webcam")
    settings.fill('{"source": {"uri": "http://cam.local:81/video", "user": "anna"}}')
    page.get_by_label("Classes").focus()
    expect(page.get_by_label("Network camera")).to_be_checked()
    expect(page.get_by_label("Address")).to_have_value("http://cam.local:81/video")
    expect(page.get_by_label("Classes")).to_have_value("")


def test_removing_a_camera_asks_first(site: Site, page: Page) -> None:
    page.goto(f"{site.url}#/cameras")
    page.get_by_role("button", name="Remove yard").click()
    page.get_by_role("button", name="Cancel").click()
    assert "yard" in cameras_in(site.file)
    page.get_by_role("button", name="Remove yard").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Removed yard.")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="yard")).to_have_count(0)
    assert set(cameras_in(site.file)) == {"door"}


def test_the_second_admin_is_told_that_the_file_changed(site: Site, page: Page, console: Console) -> None:
    console.allow("412")
    page.goto(f"{site.url}#/cameras")
    page.get_by_role("link", name="Edit door").click()
    page.get_by_label("Classes").fill("Person")
    site.file.write_text(f"# changed by hand\n{site.file.read_text(encoding='utf-8')}", encoding="utf-8")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Somebody else has changed the settings file")).to_be_visible()
    page.get_by_role("button", name="Save mine all the same").click()
    expect(page.get_by_text("Saved door.")).to_be_visible()
    assert site.file.read_text(encoding="utf-8").startswith("# changed by hand")
    assert cameras_in(site.file)["door"]["detector"] == {"classes": ["Person"]}


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_cameras_are_accessible(make_site: Callable[..., Site], page: Page, scheme: Any) -> None:
    site = make_site(SETTINGS)
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{site.url}#/cameras")
    expect(page.get_by_role("row").filter(has_text="door")).to_be_visible(timeout=STARTS_MS)
    for view, title in (("#/cameras", "Cameras"), ("#/cameras?add", "Add a camera"), ("#/cameras/door", "Edit door")):
        page.goto(f"{site.url}{view}")
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
        for size in (page.viewport_size, PHONE):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            results = Axe().run(page)
            assert results.violations_count == 0, results.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
