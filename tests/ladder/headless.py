"""Headless Chromium for the tests of pages, and what it is asked: is anything too wide, cut off, or too faint?"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any


def chromium() -> str | None:
    """Where Chromium is, None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """Headless Chromium, spoken to over its debugging pipe."""

    def __init__(self, program: str, profile: Path) -> None:
        inward, self.out = os.pipe()
        self.back, outward = os.pipe()
        flags = (
            "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
            "--disable-component-update --disable-sync --remote-debugging-pipe"
        )
        line = f'exec "$0" {flags} --user-data-dir="$1" about:blank 3<&{inward} 4>&{outward}'
        self.process = subprocess.Popen(
            ["bash", "-c", line, program, str(profile)],
            pass_fds=(inward, outward),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(inward)
        os.close(outward)
        self.buffer, self.count, self.said = b"", 0, list[dict[str, Any]]()
        self.session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Log", "Runtime", "Network", "Security", "Audits"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        message |= {"sessionId": self.session} if self.session else {}
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while (answer := self.read()).get("id") != self.count:
            self.said.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def read(self) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            got = os.read(self.back, 1 << 16)
            assert got, "the browser went away"
            self.buffer += got
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def open(self, file: Path, width: int, dark: bool = False, media: str = "screen") -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.visit(file.as_uri())

    def visit(self, url: str) -> None:
        """Go there and wait until it is loaded."""
        self.said.clear()
        self.call("Page.navigate", url=url)
        while not any(m.get("method") == "Page.loadEventFired" for m in self.said):
            self.said.append(self.read())

    def ask(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press these keys one after the other: "j", "Enter"."""
        for key in keys:
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def complaints(self) -> list[Any]:
        """Console errors, policy violations, and requests other than for the page itself."""
        self.ask("1")
        asked = [m["params"]["request"]["url"] for m in self.said if m.get("method") == "Network.requestWillBeSent"]
        loud = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Audits.issueAdded")
        return [m for m in self.said if m.get("method") in loud] + asked[1:]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        os.close(self.out)
        os.close(self.back)


WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CUT = """[...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll, pre, .unseen, .heat")
  && e.getBoundingClientRect().width > 0 && e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.tagName + "." + (e.getAttribute("class") || "") + " " + e.textContent.slice(0, 40))"""
FAINT = """(() => {
  const parse = c => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const lum = c => { const [r, g, b] = c.slice(0, 3).map(v => v / 255).map(v =>
    v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const ground = e => { const found = []; for (; e; e = e.parentElement)
    found.push(parse(getComputedStyle(e).backgroundColor));
    return found.reduceRight((u, c) => over(c, u), [255, 255, 255, 1]); };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), out = [];
  for (let n; n = walk.nextNode();) {
    const e = n.parentElement; if (!n.data.trim() || e.closest("title, desc")) continue;
    const style = getComputedStyle(e), color = parse(e.closest("svg") ? style.fill : style.color), back = ground(e);
    const [a, b] = [lum(over(color, back)), lum(back)].sort((x, y) => y - x), ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) out.push(n.data.trim().slice(0, 30) + " " + ratio.toFixed(2));
  }
  return out; })()"""
