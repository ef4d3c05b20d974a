"""The editor of lines and zones: by mouse, by touch, by keyboard; undo, refusals, two admins who save."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Position, expect

from streamer.config.analytics.shapes import check_polygon
from tests.browser.conftest import PHONE, Console
from tests.browser.site import CAMERAS, Site

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("starter_weights")]

Point = tuple[float, float]
BOX = [[0.2, 0.2], [0.6, 0.2], [0.6, 0.6], [0.2, 0.6]]
RULES = f"""
    # keep this comment
    analytics:
      zones:
        - {{name: box, points: {BOX}, schedule: [{{days: [mon]}}]}}
      lines:
        - {{name: gate, points: [[0.1, 0.8], [0.9, 0.8]]}}
"""
SETTINGS = CAMERAS.replace("  yard:", f"{RULES}  yard:").replace("door: {source: {", "door:\n    source: {").replace(
    "live: true}}\n\n    # keep", "live: true}\n    # keep"
)  # fmt: skip
STARTS_MS = 60_000
"""The first camera loads the detector."""


@pytest.fixture
def editor_of(make_site: Callable[..., Site], page: Page) -> Callable[..., Locator]:
    """Starts a site and opens the editor of its camera `door`; gives the picture."""

    def opened(settings: str = SETTINGS) -> Locator:
        site = make_site(settings)
        page.goto(f"{site.url}#/rules/door")
        return picture_of(page)

    return opened


def picture_of(page: Page) -> Locator:
    """The picture with the shapes, once the still is there."""
    picture = page.get_by_role("application", name="Picture of door")
    expect(picture).to_have_attribute("viewBox", "0 0 640 360", timeout=STARTS_MS)
    return picture


def at(picture: Locator, point: Point) -> Position:
    """Position in the picture, CSS pixels, of a point in shares."""
    box = picture.bounding_box()
    assert box is not None
    return {"x": point[0] * box["width"], "y": point[1] * box["height"]}


def drag(page: Page, picture: Locator, start: Point, end: Point) -> None:
    """Drag with the mouse from point to point."""
    box = picture.bounding_box()
    assert box is not None
    for do, (x, y) in ((page.mouse.down, start), (page.mouse.up, end)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        do()


def points_of(page: Page) -> list[str]:
    """The points of the selected shape, in the words of a screen reader."""
    names = page.locator("[data-part=point]").evaluate_all("all => all.map((one) => one.getAttribute('aria-label'))")
    return [name.partition(": ")[2] for name in names]


def saved_rules(page: Page, *, camera: str = "door") -> dict[str, Any]:
    """The rules as the API gives them now."""
    rules: dict[str, Any] = page.request.get(f"{page.url.partition('#')[0]}api/v1/cameras/{camera}/rules").json()
    return rules


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved.")).to_be_visible()


def test_a_zone_is_drawn_by_mouse_and_saved(editor_of: Callable[..., Locator], page: Page) -> None:
    picture = editor_of(CAMERAS)
    page.get_by_role("button", name="Add zone").click()
    for point in ((0.25, 0.25), (0.75, 0.25), (0.5, 0.75)):
        picture.click(position=at(picture, point))
    picture.click(position=at(picture, (0.25, 0.25)))
    page.get_by_label("Name").fill("entry")
    page.get_by_label("Classes").fill("Person, Vehicle")
    page.get_by_label("Dwell time, seconds").fill("12.5")
    page.get_by_label("Most inside").fill("0")
    save(page)
    (zone,) = saved_rules(page)["zones"]
    given = {key: value for key, value in zone.items() if key != "points"}
    assert given == {"name": "entry", "classes": ["Person", "Vehicle"], "dwell_s": 12.5, "max_inside": 0}
    wanted = [(0.25, 0.25), (0.75, 0.25), (0.5, 0.75)]
    assert all(abs(x - u) < 0.003 and abs(y - v) < 0.003 for (x, y), (u, v) in zip(zone["points"], wanted, strict=True))
    expect(page.get_by_role("button", name="entry zone")).to_contain_text("inside", timeout=STARTS_MS)


def test_a_line_is_drawn_by_keyboard_and_flipped(editor_of: Callable[..., Locator], page: Page) -> None:
    editor_of(CAMERAS)
    page.get_by_role("button", name="Add line").focus()
    for key in ("Enter", "ArrowLeft", "ArrowLeft", "Enter", *["ArrowRight"] * 5, "Shift+ArrowDown", "Enter", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_text("Who crosses downwards counts as in.")).to_be_visible()
    page.get_by_role("button", name="Flip direction").press("Enter")
    expect(page.get_by_text("Who crosses upwards counts as in.")).to_be_visible()
    save(page)
    assert saved_rules(page)["lines"][0]["points"] == [[0.53, 0.501], [0.48, 0.5]]


def test_points_are_moved_added_and_removed_by_keyboard(editor_of: Callable[..., Locator], page: Page) -> None:
    editor_of()
    page.get_by_role("button", name="box zone").press("Enter")
    page.get_by_role("button", name="Move points by keyboard").press("Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    assert points_of(page)[0] == "21.0% from the left, 19.9% from the top"
    expect(page.get_by_text("21.0% from the left, 19.9% from the top")).to_be_visible()
    page.keyboard.press("Enter")
    assert len(points_of(page)) == 5
    assert page.evaluate("document.activeElement.dataset.key") == "point-1"
    page.keyboard.press("Delete")
    page.keyboard.press("Delete")
    assert len(points_of(page)) == 3
    page.keyboard.press("Delete")
    expect(page.get_by_text("A zone needs at least three points. Delete the whole zone instead.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="box zone")).to_be_focused()


def test_points_and_shapes_are_dragged_and_undone(editor_of: Callable[..., Locator], page: Page) -> None:
    picture = editor_of()
    picture.click(position=at(picture, (0.4, 0.4)))
    drag(page, picture, (0.2, 0.2), (0.3, 0.1))
    assert points_of(page)[0] == "30.0% from the left, 10.0% from the top"
    drag(page, picture, (0.4, 0.6), (0.4, 0.7))  # the + of the lower edge
    assert points_of(page)[3] == "40.0% from the left, 70.0% from the top"
    drag(page, picture, (0.4, 0.4), (0.9, 0.4))  # the whole shape, up to the border
    assert points_of(page)[1] == "100.0% from the left, 20.0% from the top"
    for _ in range(3):
        page.keyboard.press("Control+z")
    assert points_of(page)[0] == "20.0% from the left, 20.0% from the top"
    expect(page.get_by_text("Unsaved changes")).to_be_hidden()
    page.get_by_role("button", name="Redo").click()
    assert points_of(page)[0] == "30.0% from the left, 10.0% from the top"


def test_a_point_near_the_border_snaps_to_it(editor_of: Callable[..., Locator], page: Page) -> None:
    picture = editor_of()
    picture.click(position=at(picture, (0.4, 0.4)))
    drag(page, picture, (0.2, 0.2), (0.004, 0.3))
    assert points_of(page)[0] == "0.0% from the left, 30.0% from the top"


def test_a_zone_is_drawn_by_touch(make_site: Callable[..., Site], browser: Browser, console: Console) -> None:
    site = make_site(CAMERAS)
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)  # type: ignore[arg-type]
    page = context.new_page()
    console.watch(page)
    page.goto(f"{site.url}#/rules/door")
    picture = picture_of(page)
    page.get_by_role("button", name="Zoom in").tap()
    page.get_by_role("button", name="Add zone").tap()
    for point in ((0.1, 0.2), (0.5, 0.2), (0.3, 0.6)):
        picture.tap(position=at(picture, point))
    page.get_by_role("button", name="Done").tap()
    assert len(points_of(page)) == 3
    page.locator("[data-part=middle]").first.tap()
    assert len(points_of(page)) == 4
    page.locator("[data-part=point]").nth(2).tap()
    page.get_by_role("button", name="Delete point 3").tap()
    assert len(points_of(page)) == 3
    save(page)
    assert len(saved_rules(page)["zones"][0]["points"]) == 3
    context.close()


def test_what_is_wrong_is_said_and_not_saved(editor_of: Callable[..., Locator], page: Page, console: Console) -> None:
    console.allow("422")
    picture = editor_of()
    page.get_by_role("button", name="Add zone").click()
    for point in ((0.7, 0.2), (0.9, 0.2)):
        picture.click(position=at(picture, point))
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("A zone needs at least three points.")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="box zone").click()
    drag(page, picture, (0.2, 0.2), (0.8, 0.4))
    save_button = page.get_by_role("button", name="Save", exact=True)
    save_button.click()
    expect(page.get_by_role("status").get_by_text("box: The edges of the zone cross.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    page.get_by_label("Name").fill("gate")
    save_button.click()
    expect(page.get_by_role("status").get_by_text("Two are called gate")).to_be_visible()
    assert saved_rules(page)["zones"][0]["points"] == BOX


def test_the_api_refuses_a_zone_of_two_points(make_site: Callable[..., Site], page: Page) -> None:
    site = make_site()
    page.goto(site.url)
    address = f"{site.url}api/v1/cameras/door/rules"
    headers = {"If-Match": page.request.get(address).headers["etag"]}
    body = {"lines": [], "zones": [{"name": "flat", "points": [[0.1, 0.1], [0.2, 0.2]]}]}
    refused = page.request.put(address, data=body, headers=headers)
    assert refused.status == 422
    assert "at least three points, not 2" in refused.text()


def test_saving_keeps_comments_and_settings_that_are_not_shown(editor_of: Callable[..., Locator], page: Page) -> None:
    editor_of()
    page.get_by_role("button", name="gate line").click()
    page.get_by_label("Name").fill("street")
    save(page)
    rules = saved_rules(page)
    assert rules["lines"][0]["name"] == "street"
    assert rules["zones"][0]["schedule"][0]["days"] == ["mon"]


def test_leaving_with_changes_asks_first(editor_of: Callable[..., Locator], page: Page) -> None:
    editor_of()
    page.get_by_role("button", name="box zone").click()
    page.get_by_role("button", name="Delete zone").click()
    system = page.get_by_role("navigation").get_by_role("link", name="System")
    system.click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Lines and zones of door")).to_be_visible()
    assert page.url.endswith("#/rules/door")
    system.click()
    page.get_by_role("dialog").get_by_role("button", name="Leave").click()
    expect(page.get_by_role("heading", name="System", exact=True)).to_be_visible()
    assert len(saved_rules(page)["zones"]) == 1


def draw(page: Page, picture: Locator, kind: str, *points: Point) -> None:
    """Begin a zone or a line, and set points; it is not finished."""
    page.get_by_role("button", name=f"Add {kind}").click()
    for point in points:
        picture.click(position=at(picture, point))


def test_saving_finishes_a_shape_that_is_being_drawn(editor_of: Callable[..., Locator], page: Page) -> None:
    picture = editor_of(CAMERAS)
    draw(page, picture, "line", (0.1, 0.5), (0.9, 0.5))
    expect(page.get_by_text("Done finishes, or set another point.")).to_be_visible()
    save(page)
    assert len(saved_rules(page)["lines"]) == 1


def test_a_shape_with_too_few_points_stops_saving(editor_of: Callable[..., Locator], page: Page) -> None:
    picture = editor_of(CAMERAS)
    draw(page, picture, "zone", (0.2, 0.2), (0.8, 0.2))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("A zone needs at least three points.")).to_be_visible()
    picture.click(position=at(picture, (0.5, 0.8)))
    save(page)
    assert len(saved_rules(page)["zones"][0]["points"]) == 3


def test_leaving_while_drawing_asks_first(editor_of: Callable[..., Locator], page: Page) -> None:
    picture = editor_of(CAMERAS)
    draw(page, picture, "zone", (0.2, 0.2))
    expect(page.get_by_text("Unsaved changes")).to_be_visible()
    page.get_by_role("link", name="System").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.keyboard.press("Control+z")
    expect(page.get_by_text("Unsaved changes")).to_be_hidden()
    page.get_by_role("link", name="System").click()
    expect(page).to_have_url(f"{page.url.partition('#')[0]}#/system")


def test_the_second_of_two_admins_chooses(editor_of: Callable[..., Locator], page: Page, console: Console) -> None:
    console.allow("412")
    editor_of()
    page.get_by_role("button", name="box zone").click()
    page.get_by_label("Name").fill("mine")
    other = page.context.new_page()
    other.goto(page.url)
    picture_of(other)
    other.get_by_role("button", name="box zone").click()
    other.get_by_label("Name").fill("theirs")
    save(other)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Somebody else has saved other lines and zones")).to_be_visible()
    expect(page.locator(".other")).to_have_count(2)
    page.get_by_role("button", name="Load theirs").click()
    expect(page.get_by_role("button", name="theirs zone")).to_be_visible()
    expect(page.locator(".other")).to_have_count(2)  # mine
    page.get_by_role("button", name="Undo").click()
    save(page)
    assert saved_rules(page)["zones"][0]["name"] == "mine"


def test_the_editor_refuses_the_polygons_that_the_settings_refuse(site: Site, page: Page) -> None:
    page.goto(site.url)
    chance = random.Random(18)
    grid = [0, 0.2, 0.25, 0.5, 0.75, 0.8, 1]
    polygons = [[(chance.choice(grid), chance.choice(grid)) for _ in range(chance.randint(3, 6))] for _ in range(600)]
    found = page.evaluate(
        """async (polygons) => {
            const { problemOf } = await import("/assets/views/rules-geometry.js");
            return polygons.map((points) => problemOf("zone", points) !== "");
        }""",
        json.loads(json.dumps(polygons)),
    )
    expected = [is_refused(points) for points in polygons]
    assert expected.count(True) > 50 < expected.count(False)
    assert found == expected


def is_refused(points: list[Point]) -> bool:
    """Whether settings with this polygon are refused. The first point is not given again at the end."""
    if any(one == other for one, other in zip(points, (*points[1:], points[0]), strict=True)):
        return True
    try:
        check_polygon(tuple(points))
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_editor_is_accessible(editor_of: Callable[..., Locator], page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    editor_of()
    for size in (page.viewport_size, PHONE):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        for button in ("box zone", "gate line"):
            page.get_by_role("button", name=button).click()
            results = Axe().run(page)
            assert results.violations_count == 0, results.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Add zone").click()
    assert Axe().run(page).violations_count == 0
