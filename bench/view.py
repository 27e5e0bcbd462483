"""The page of `suffice view` with 10,000 cases in headless Chromium: its size, and how long a person waits.

    python bench/view.py [--cases 10000] [--repeats 5] [--chars 400]

Tickets of about so many characters with labels, confidence, seconds and cost; one report, and two side by side.
Medians of so many repeats, each in a fresh page at 1280 x 900. "First paint" is from the start of the navigation to
the first contentful paint, "list there" to the end of the script that reads the data and draws the list; the others are
the time that the browser is busy with one act of a person, script and layout, without the wait for the next frame.
"Worst frame" is the longest between two frames while 60 jumps go through the whole list.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests" / "ladder"))

from headless import Browser, chromium
from view_samples import tickets

from suffice.ladder.view import view, view_two

ACT = """(() => {{ const e = document.getElementById("{id}"), began = performance.now(); {act};
  document.getElementById("list").getBoundingClientRect(); return performance.now() - began; }})()"""
ACTS = {
    "search, first letter": ACT.format(id="q", act="e.value = 'r'; e.dispatchEvent(new Event('input'))"),
    "search, a word": ACT.format(id="q", act="e.value = 'renewal'; e.dispatchEvent(new Event('input'))"),
    "filter": ACT.format(id="clear", act="document.querySelectorAll('[data-show]')[2].click()"),
    "sort by confidence": ACT.format(id="sort", act="e.value = 'unsure'; e.dispatchEvent(new Event('change'))"),
    "clear": ACT.format(id="clear", act="e.click()"),
    "next case": ACT.format(id="list", act="e.dispatchEvent(new KeyboardEvent('keydown', {key: 'j', bubbles: true}))"),
}  # fmt: skip
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
THERE = "performance.getEntriesByType('navigation')[0].domContentLoadedEventStart"
SCROLL = """new Promise(done => { const gaps = []; let last = performance.now(), step = 0;
  const far = document.documentElement.scrollHeight / 60;
  const frame = now => { gaps.push(now - last); last = now; scrollBy(0, far);
    if (++step < 60) requestAnimationFrame(frame); else done(Math.max(...gaps.slice(1))); };
  requestAnimationFrame(frame); })"""


def longer(report: dict[str, Any], chars: int) -> dict[str, Any]:
    """The report with inputs of about so many characters, each its own."""
    dice = random.Random(2)
    words = sorted({word for row in report["cases"][:50] for word in row["inputs"].split()})
    for row in report["cases"]:
        text, enough = row["inputs"], chars * dice.uniform(0.5, 1.5)
        while len(text) < enough:
            text += " " + dice.choice(words)
        row["inputs"] = text
    return report


def once(browser: Browser, file: Path) -> dict[str, float]:
    """Milliseconds of one visit."""
    browser.visit("about:blank")
    browser.open(file, 1280)
    deadline = time.monotonic() + 20
    while (paint := browser.ask(PAINT)) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    found = {"first paint": float(paint), "list there": float(browser.ask(THERE))}
    for name, act in ACTS.items():
        found[name] = float(browser.ask(act))
    asked = browser.call("Runtime.evaluate", expression=SCROLL, awaitPromise=True, returnByValue=True)
    found["scroll, worst frame"] = float(asked["result"]["value"])
    return found


def main() -> None:
    """Print the table of both pages."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--cases", type=int, default=10_000)
    asked.add_argument("--repeats", type=int, default=5)
    asked.add_argument("--chars", type=int, default=400)
    how = asked.parse_args()
    program = chromium()
    if program is None:
        sys.exit("no Chromium on this machine: apt-get install chromium")
    first = longer(tickets(how.cases), how.chars)
    second = longer(tickets(how.cases, seed=4, skill=0.85, solution="other", run="eval-4"), how.chars)
    pages = {"one": lambda: view(first), "two": lambda: view_two(first, second)}
    with tempfile.TemporaryDirectory() as folder:
        browser = Browser(program, Path(folder) / "profile")
        print(browser.call("Browser.getVersion")["product"])
        for name, make in pages.items():
            began = time.perf_counter()
            text = make()
            made = time.perf_counter() - began
            file = Path(folder) / f"{name}.html"
            file.write_text(text, encoding="utf-8")
            visits = [once(browser, file) for _ in range(how.repeats)]
            print(f"{name}: {file.stat().st_size / 1e6:.2f} MB, made in {made:.2f} s")
            for act in visits[0]:
                times = [visit[act] for visit in visits]
                print(f"  {act:<22}{statistics.median(times):8.1f} ms ({min(times):.1f} to {max(times):.1f})")
        browser.close()


if __name__ == "__main__":
    main()
