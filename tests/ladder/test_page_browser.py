"""The pages in headless Chromium: no complaint, nothing too wide or too faint, at three widths, light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from headless import CUT, FAINT, WIDER, Browser
from page_samples import PAGES, tickets

from suffice.ladder.page import page

A4 = 687  # px between margins of 14 mm


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_a_browser_shows_a_page_without_complaint_and_without_overflow(
    browser: Browser, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "page.html"
    file.write_text(PAGES[name](), encoding="utf-8")
    for width in (390, 768, 1280):
        for dark in (False, True):
            browser.open(file, width, dark)
            assert browser.complaints() == []
            assert browser.ask(WIDER) <= 0, f"{name} is wider than {width} px: {browser.ask(CUT)}"
            assert browser.ask(CUT) == []
            assert browser.ask(FAINT) == []


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_on_a4_in_black_on_white_whatever_the_screen_was(
    browser: Browser, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "page.html"
    file.write_text(PAGES[name](), encoding="utf-8")
    browser.open(file, A4, dark=True, media="print")
    assert browser.ask(CUT.replace(".scroll, ", "").replace(", .heat", "")) == []
    assert browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.ask(FAINT) == []


@pytest.mark.browser
def test_the_browser_of_these_tests_does_notice_a_violation_and_an_overflow(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    wide = '<script>alert(1)</script><img src="https://example.invalid/x.png"><pre style="width: 3000px">x</pre>'
    file.write_text(page(tickets()).replace("</main>", f"{wide}<p>{'y' * 3000}</p></main>"), encoding="utf-8")
    browser.open(file, 390)
    assert browser.complaints()
    assert browser.ask(WIDER) > 0
