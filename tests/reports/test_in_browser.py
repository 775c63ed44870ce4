"""The pages in a real browser: what a reader does with mouse, keyboard, screen reader, phone."""

from __future__ import annotations

import pytest

from tests.reports.browser import browser, opened
from tests.reports.large import large_report
from tests.reports.sample import report, sweep
from tpuc.reports import Accuracy, write_report, write_sweep


@pytest.fixture(scope="module")
def chromium():
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Folder of pages, and what the large one is about."""
    folder = tmp_path_factory.mktemp("pages")
    data = large_report()
    write_report(folder, data)
    write_sweep(folder, sweep())
    (folder / "small").mkdir()
    write_report(folder / "small", report(accuracy=Accuracy(20, 0.9, 0.8, 12.0)))
    return folder, data


@pytest.fixture
def page(chromium, pages):
    with opened(chromium, pages[0] / "report.html", reduced_motion="reduce") as shown:
        yield shown


def visible_rows(page):
    return page.locator(".layers tbody tr:visible")


def test_table_searches_filters_and_sorts(page, pages):
    rows = pages[1].layers
    assert visible_rows(page).count() == 25
    page.get_by_label("Search names").fill("layer7/ conv")
    wanted = [r.name for r in rows if "layer7/" in r.name and "conv" in r.name.lower()]
    assert visible_rows(page).count() == len(wanted) > 0
    page.get_by_label("Search names").fill("")
    page.get_by_role("combobox", name="Type", exact=True).select_option("f16")
    assert visible_rows(page).count() == sum(r.dtype == "f16" for r in rows)
    page.get_by_role("combobox", name="Type", exact=True).select_option("")
    head = page.get_by_role("columnheader", name="Cosine")
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    worst = min(rows, key=lambda row: row.cos)
    assert visible_rows(page).first.get_attribute("data-name") == worst.name
    page.get_by_role("button", name="Show all").click()
    assert visible_rows(page).count() == len(rows)


def test_graph_is_walked_by_keyboard_and_leads_to_the_row(page, pages):
    boxes = page.locator("#graph .box")
    assert boxes.count() == 300
    boxes.first.focus()
    for _ in range(40):
        page.keyboard.press("ArrowDown")
    at = page.evaluate("document.activeElement.getAttribute('aria-label')")
    number = int(at.split(".")[0]) - 1
    assert number > 25
    row = pages[1].layers[number]
    about = page.locator("#graph .about")
    assert row.name in about.inner_text() and f"{row.sqnr_db:.1f} dB" in about.inner_text()
    box = boxes.nth(number).bounding_box()
    sheet = page.locator(".sheet").bounding_box()
    assert sheet["y"] <= box["y"] <= sheet["y"] + sheet["height"]
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == f"r{number}"
    assert page.locator(f"#r{number}").is_visible()


def test_only_one_box_is_a_tab_stop(page):
    assert page.locator('#graph .box[tabindex="0"]').count() == 1
    page.locator("#graph .box").first.focus()
    page.keyboard.press("End")
    assert page.locator('#graph .box[tabindex="0"]').count() == 1


def test_graph_zooms_and_shows_the_worst(page, pages):
    picture = page.locator(".sheet > svg")
    before = picture.bounding_box()["width"]
    page.get_by_role("button", name="Zoom in").click()
    assert picture.bounding_box()["width"] == pytest.approx(1.25 * before, abs=1)
    page.get_by_role("button", name="Fit width").click()
    assert picture.bounding_box()["width"] <= page.locator(".sheet").bounding_box()["width"]
    page.get_by_role("button", name="Next worst").click()
    worst = min(pages[1].layers, key=lambda row: row.sqnr_db)
    assert worst.name in page.locator("#graph .about").inner_text()


def test_graph_is_dragged_without_following_a_link(page):
    sheet = page.locator(".sheet")
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] - 40
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 200, steps=4)
    page.mouse.up()
    assert sheet.evaluate("sheet => sheet.scrollTop") >= 190
    assert not page.evaluate("document.activeElement.id")


def test_close_up_follows_the_choice(page, pages):
    rows = pages[1].layers
    conv = next(i for i, row in enumerate(rows) if row.type == "Conv" and i > 40)
    page.get_by_role("combobox", name="Layer", exact=True).select_option(str(conv))
    facts = page.locator("#closeup-facts")
    assert rows[conv].name in facts.inner_text()
    assert page.locator("#scatter circle:not(.far)").count() == len(rows[conv].values.real)
    assert "512 channels" in page.locator("#closeup .pane.wide").inner_text()
    assert page.locator("#distribution .box").count() == 1
    flat = page.locator("#scatter svg").inner_html()
    page.get_by_role("checkbox", name="difference").check()
    assert page.locator("#scatter svg").inner_html() != flat
    page.get_by_role("button", name="Layer after").click()
    assert rows[conv + 1].name in facts.inner_text()


def test_a_name_in_the_table_opens_its_close_up(page, pages):
    link = visible_rows(page).nth(7).get_by_role("link").first
    link.click()
    assert pages[1].layers[7].name in page.locator("#closeup-facts").inner_text()
    assert page.evaluate("document.activeElement.id") == "layer"


def test_charts_read_an_op_aloud(page, pages):
    page.locator(".along").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert pages[1].layers[1].name in page.locator("#readout").inner_text()


def test_theme_can_be_chosen(page):
    page.get_by_role("button", name="Dark theme").click()
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"


@pytest.mark.parametrize("name", ["small/report.html", "sweep.html"])
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_no_barriers_are_found_and_nothing_is_wider_than_the_screen(
    chromium, pages, name, width, dark
):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    with opened(chromium, pages[0] / name, width, dark=dark) as page:
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [1400, 1100, 900, 600, 390])
def test_a_name_has_room_at_every_width(chromium, pages, width):
    with opened(chromium, pages[0] / "report.html", width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator(".layers .name").first.bounding_box()["width"] >= 240


def test_printed_are_all_rows_and_no_buttons(chromium, pages):
    with opened(chromium, pages[0] / "report.html", dark=True) as page:
        assert visible_rows(page).count() == 25
        page.pdf()
        page.emulate_media(media="print")
        assert visible_rows(page).count() == 300
        assert page.locator(":not(th) > button").filter(visible=True).count() == 0
        assert page.evaluate("getComputedStyle(document.body).colorScheme") == "light"


def test_without_scripts_everything_but_the_close_up_is_there(chromium, pages):
    with opened(chromium, pages[0] / "report.html", java_script_enabled=False) as page:
        assert visible_rows(page).count() == 300
        assert page.locator("#graph .box").count() == 300
        assert page.get_by_text("The close-up needs JavaScript").is_visible()
        assert page.locator(".zoom, .tools, .pick").filter(visible=True).count() == 0


def test_nothing_moves_for_those_who_asked_for_it(chromium, pages):
    with opened(chromium, pages[0] / "report.html", reduced_motion="reduce") as page:
        assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
        page.locator("#graph .box").first.focus()
        page.keyboard.press("End")
        height = page.locator(".sheet").evaluate("sheet => sheet.scrollTop")
        assert height > 1000


def test_sweep_sorts_and_a_dot_leads_to_its_row(chromium, pages):
    with opened(chromium, pages[0] / "sweep.html") as page:
        page.get_by_role("columnheader", name="Cosine").get_by_role("button").click()
        first = page.locator("tbody tr").first
        assert first.get_attribute("id") == "run2"
        page.get_by_role("link", name="Run 1:").click()
        assert page.evaluate("location.hash") == "#run1"
