"""The page to look through in headless Chromium: by keys, at three widths, light and dark, hostile, large, in print."""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path
from typing import Any

import pytest
from headless import CUT, FAINT, WIDER, Browser
from view_samples import NASTY, case, hostile, invoices, report, tickets

from suffice.ladder.view import view, view_two

pytestmark = pytest.mark.browser

SELECTED = """(() => { const e = document.querySelector('[aria-selected="true"]');
  const box = e && e.getBoundingClientRect();
  return e && [e.getAttribute("aria-posinset"), box.top >= 0, box.bottom <= innerHeight]; })()"""
COUNT = "document.getElementById('count').textContent"
OPEN = "!document.getElementById('case').hidden"
CASE = "document.getElementById('case').textContent"
FOCUS = "document.activeElement.id"


def written(folder: Path, text: str) -> Path:
    file = folder / "page.html"
    file.write_text(text, encoding="utf-8")
    return file


def hash_of(browser: Browser) -> str:
    """The address once it says what is shown: it is written a moment later."""
    browser.call("Runtime.evaluate", expression="new Promise(done => setTimeout(done, 200))", awaitPromise=True)
    return browser.ask("location.hash")


def two() -> str:
    return view_two(tickets(), tickets(seed=4, skill=0.85, solution="triage with examples", run="eval-4"))


PAGES = {
    "one": lambda: view(tickets()), "two": two, "fields": lambda: view(invoices()), "hostile": lambda: view(hostile()),
    "hostile two": lambda: view_two(hostile(), hostile()),
    "one case": lambda: view(report([case(1, "a", "b", "c", 0.0)])),
}  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_shown_without_complaint_without_overflow_and_not_too_faint(
    browser: Browser, tmp_path: Path, name: str
) -> None:
    file = written(tmp_path, PAGES[name]())
    for width in (390, 768, 1280):
        for dark in (False, True):
            browser.open(file, width, dark)
            for opened in (False, True):
                if opened:
                    browser.press("Enter")
                assert browser.complaints() == []
                assert browser.ask(WIDER) <= 0, (width, opened, browser.ask(CUT))
                assert browser.ask(CUT.replace(".heat", ".heat, .row")) == []
                assert browser.ask(FAINT) == []


def test_everything_can_be_done_by_keys(browser: Browser, tmp_path: Path) -> None:
    browser.open(written(tmp_path, view(tickets())), 1280)
    browser.press("j", "j", "ArrowDown", "k")
    assert browser.ask(SELECTED) == ["3", True, True]
    browser.press("Enter")
    assert browser.ask(OPEN) and browser.ask(FOCUS) == "case" and "3 of 120" in browser.ask(CASE)
    browser.press("j")
    assert "4 of 120" in browser.ask(CASE)
    browser.press("Escape")
    assert not browser.ask(OPEN) and browser.ask(FOCUS) == "list"
    browser.press("End")
    assert browser.ask(SELECTED) == ["120", True, True]
    browser.press("Home", "f")
    assert browser.ask(COUNT) == "29 of 120 cases"
    browser.press("f")
    assert browser.ask(COUNT) == "120 cases"
    browser.press("4")
    assert browser.ask(COUNT) == "6 of 120 cases"
    browser.press("5")
    assert browser.ask(COUNT) == "7 of 120 cases" and "no answer" in browser.ask(
        "document.querySelector('.row').textContent"
    )
    browser.press("x", "/")
    assert browser.ask(FOCUS) == "q"
    browser.press(*"parcel deliv")
    assert 0 < int(browser.ask(COUNT).split()[0]) < 60 and browser.ask(FOCUS) == "q"
    browser.press("Escape")
    assert browser.ask(FOCUS) == "list"
    browser.press("x", "?")
    assert browser.ask("document.getElementById('help').open")
    browser.ask("document.querySelector('#help button').click()")
    assert not browser.ask("document.getElementById('help').open") and browser.complaints() == []


def test_the_selected_row_is_told_to_who_cannot_see_it(browser: Browser, tmp_path: Path) -> None:
    browser.open(written(tmp_path, view(tickets())), 1280)
    browser.ask("document.getElementById('list').focus()")
    browser.press("j")
    named = "document.getElementById(document.getElementById('list').getAttribute('aria-activedescendant'))"
    assert browser.ask(f"{named}.getAttribute('aria-posinset')") == "2"
    assert browser.ask(f"{named}.getAttribute('aria-label')").startswith("right: Hi, I was charged twice")
    assert browser.ask("document.getElementById('count').getAttribute('role')") == "status"
    assert browser.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_the_address_says_what_is_shown_and_shows_it_again(browser: Browser, tmp_path: Path) -> None:
    file = written(tmp_path, view(tickets()))
    browser.open(file, 1280)
    browser.press("3")
    choose = "(id, v) => { const e = document.getElementById(id); e.value = v; e.dispatchEvent(new Event('change')); }"
    browser.ask(f"({choose})('by', 'words'); ({choose})('sort', 'unsure')")
    browser.press("j", "Enter")
    said, shown, title = hash_of(browser), browser.ask(COUNT), browser.ask(CASE)
    assert "show=wrong" in said and "by=words" in said and "sort=unsure" in said and "case=" in said
    browser.ask("location.hash = ''")
    assert browser.call("Runtime.evaluate", expression="new Promise(d => setTimeout(d, 50))", awaitPromise=True)
    assert browser.ask(COUNT) == "120 cases" and not browser.ask(OPEN)
    browser.visit("about:blank")
    browser.visit(file.as_uri() + said)
    assert (browser.ask(COUNT), browser.ask(CASE)) == (shown, title)
    assert browser.ask("document.getElementById('by').value") == "words"


def test_an_address_that_makes_no_sense_shows_everything(browser: Browser, tmp_path: Path) -> None:
    browser.open(written(tmp_path, two()), 1280)
    browser.ask("location.replace('#side=9&sort=toString&case=constructor&show=all&by=__proto__&q=%00')")
    browser.call("Runtime.evaluate", expression="new Promise(d => setTimeout(d, 50))", awaitPromise=True)
    assert browser.complaints() == [] and browser.ask(COUNT) == "0 of 120 cases"
    browser.press("j", "Enter", "Escape", "x")
    assert browser.ask(COUNT) == "120 cases" and browser.complaints() == []


def test_two_runs_can_be_filtered_by_what_was_fixed_and_broken(browser: Browser, tmp_path: Path) -> None:
    browser.open(written(tmp_path, two()), 1280)
    shown = {}
    for key in "2345":
        browser.press(key)
        shown[browser.ask("document.querySelector('[aria-pressed=true]').dataset.show")] = browser.ask(COUNT).split()[0]
    assert list(shown) == ["fixed", "broken", "both wrong", "both right"]
    assert sum(map(int, shown.values())) == 120
    browser.press("x", "f", "Enter")
    assert browser.ask(COUNT).split()[0] == shown["broken"]
    assert "✓ right" in browser.ask(CASE) and "triage with examples" in browser.ask(CASE)


def test_fields_and_scores_are_filters_where_there_are_any(browser: Browser, tmp_path: Path) -> None:
    browser.open(written(tmp_path, view(invoices())), 1280)
    choose = (
        "(id, v, what) => { const e = document.getElementById(id); e.value = v; e.dispatchEvent(new Event(what)); }"
    )
    browser.ask(f"({choose})('field', 'items[*].price', 'change')")
    assert browser.ask(COUNT) == "6 of 40 cases"
    browser.ask(
        f"({choose})('field', '', 'change'); ({choose})('low', '.6', 'input'); ({choose})('high', '.9', 'input')"
    )
    assert browser.ask(COUNT) == "6 of 40 cases" and "low=.6" in hash_of(browser)
    browser.open(written(tmp_path, view(tickets())), 1280)
    assert browser.ask("document.getElementById('field-label').hidden && !document.getElementById('low')")


def test_the_pair_of_a_confusion_is_one_press(browser: Browser, tmp_path: Path) -> None:
    browser.open(written(tmp_path, view(tickets())), 1280)
    browser.press("3", "Enter")
    browser.ask("[...document.querySelectorAll('#case button')].find(b => b.textContent === 'Same pair').click()")
    chosen = browser.ask("['expected', 'answer'].map(id => document.getElementById(id).value)")
    assert chosen == ["product advice", "installation"]
    assert int(browser.ask(COUNT).split()[0]) >= 1 and "expected=product" in hash_of(browser)


def test_hostile_texts_stay_texts_and_huge_ones_unfold(browser: Browser, tmp_path: Path) -> None:
    browser.open(written(tmp_path, view(hostile())), 390)
    for number in range(len(hostile()["cases"])):
        browser.press("Enter")
        assert browser.complaints() == [] and browser.ask(WIDER) <= 0
        assert browser.ask("document.querySelectorAll('#case script, #case img, #list script').length") == 0
        if number == 0:
            assert NASTY[0] in browser.ask(CASE)
        browser.press("j") if number < 12 else None
    browser.press("Escape", "x", "/", *"yyyyyyyy")
    browser.press("Escape", "Enter")
    assert "900,000 more characters are not in this page." in browser.ask(CASE)
    before = len(browser.ask(CASE))
    browser.ask("document.querySelector('#case .asked .all').click()")
    assert before < 10_000 and len(browser.ask(CASE)) > 100_000 and browser.ask(WIDER) <= 0


def test_only_the_rows_in_sight_exist_among_ten_thousand(browser: Browser, tmp_path: Path) -> None:
    browser.open(written(tmp_path, view(tickets(10_000))), 390)
    rows = "document.querySelectorAll('.row').length"
    assert browser.ask(COUNT) == "10,000 cases" and browser.ask(rows) < 40
    browser.press("End")
    assert browser.ask(SELECTED) == ["10000", True, True] and browser.ask(rows) < 40
    took: Any = browser.ask(
        "(() => { const began = performance.now(), q = document.getElementById('q'); q.value = 'renewal june';"
        " q.dispatchEvent(new Event('input')); q.value = 'renewal june w'; q.dispatchEvent(new Event('input'));"
        " return performance.now() - began; })()"
    )
    assert took < 1_000 and 0 < int(browser.ask(COUNT).split()[0].replace(",", "")) < 3_000


def test_print_shows_the_cases_that_are_chosen_and_no_tools(browser: Browser, tmp_path: Path) -> None:
    browser.open(written(tmp_path, view(tickets())), 1280, dark=True)
    browser.press("3")
    browser.call("Emulation.setEmulatedMedia", media="print", features=[])
    deadline = time.monotonic() + 5
    while browser.ask("document.querySelectorAll('#paper article').length") != 29 and time.monotonic() < deadline:
        pass
    assert browser.ask("document.querySelectorAll('#paper article').length") == 29
    assert browser.ask("getComputedStyle(document.getElementById('tools')).display") == "none"
    assert browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.ask(CUT) == [] and browser.ask(FAINT) == []
    browser.call("Emulation.setEmulatedMedia", media="", features=[])
    pdf = base64.b64decode(browser.call("Page.printToPDF")["data"])
    assert max(map(int, re.findall(rb"/Type /Pages\s*/Count (\d+)", pdf) or re.findall(rb"/Count (\d+)", pdf))) > 3
    assert browser.ask("document.querySelectorAll('#paper article').length") == 0
