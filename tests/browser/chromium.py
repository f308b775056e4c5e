"""A Chromium without a window, driven over its debugging pipe: pages are opened, used and looked at as people do.

Source: Chrome DevTools Protocol; `--remote-debugging-pipe` reads commands from descriptor 3 and answers on 4, each
message ended by a zero byte. Nothing listens on a port, and no driver has to be installed.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from fcntl import F_DUPFD_CLOEXEC, fcntl
from pathlib import Path
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_S = 30.0
_FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)
#: What `subprocess` cannot do: give a child these descriptors under other numbers.
_BECOME = "import os, sys; a, b, *c = sys.argv[1:]; os.dup2(int(a), 3); os.dup2(int(b), 4); os.execv(c[0], c)"
_KEYS = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowLeft": 37, "ArrowRight": 39, "/": 191}


class BrowserFailed(Exception):
    """It did not answer, or answered with an error."""


def find() -> str | None:
    """Where this machine has a Chromium; None where it has none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass
class Chromium:
    """One browser process with a profile of its own; a context manager."""

    program: str
    profile: Path
    _process: subprocess.Popen[bytes] | None = None
    _to: int = -1
    _from: int = -1
    _left: bytes = b""
    _number: int = 0
    _pages: dict[str, Page] = field(default_factory=dict)

    def __enter__(self) -> Self:
        commands, self._to = os.pipe()
        self._from, answers = os.pipe()
        ours = [fcntl(end, F_DUPFD_CLOEXEC, 10) for end in (commands, answers)]  # clear of 3 and 4
        for end in (commands, answers):
            os.close(end)
        # Root has no sandbox to go into: that is how containers run.
        flags = (
            *_FLAGS,
            *(("--no-sandbox",) if os.geteuid() == 0 else ()),
            f"--user-data-dir={self.profile}",
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BECOME, *map(str, ours), self.program, *flags, "about:blank"],
            pass_fds=ours,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(self.profile)},
        )
        for end in ours:
            os.close(end)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        try:
            self.call("Browser.close")
        except BrowserFailed:
            self._process.kill()
        self._process.wait(PATIENCE_S)
        os.close(self._to)
        os.close(self._from)

    def open(
        self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False, script: bool = True
    ) -> Page:
        """A new page, loaded and laid out. Without `script` it has no JavaScript."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(browser=self, session=session, target=target)
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.call(f"{domain}.enable")
        page.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.call("Emulation.setEmulatedMedia", features=[scheme])
        page.call("Emulation.setScriptExecutionDisabled", value=not script)
        page.call("Page.navigate", url=url)
        self.read_until(lambda: "Page.loadEventFired" in page.events, f"{url} to load")
        return page

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Raises: BrowserFailed."""
        self._number += 1
        number = self._number
        message = {
            "id": number,
            "method": method,
            "params": params,
            **({"sessionId": session} if session else {}),
        }
        try:
            os.write(self._to, json.dumps(message).encode() + b"\0")
        except BrokenPipeError as error:
            raise BrowserFailed(f"{self.program} has ended") from error
        answer: dict[str, Any] = {}

        def answered() -> bool:
            return bool(answer)

        def take(received: dict[str, Any]) -> None:
            if received.get("id") == number:
                answer.update(received)

        self.read_until(answered, method, take=take)
        if "error" in answer:
            raise BrowserFailed(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def read_until(self, done: Any, what: str, *, take: Any = lambda _received: None) -> None:
        """Raises: BrowserFailed once its patience has ended."""
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            for received in self._read(deadline, what):
                take(received)
                page = self._pages.get(received.get("sessionId", ""))
                if page is not None and "method" in received:
                    page.note(received["method"], received["params"])

    def _read(self, deadline: float, what: str) -> list[dict[str, Any]]:
        ready, _, _ = select.select([self._from], [], [], max(deadline - time.monotonic(), 0))
        if not ready:
            raise BrowserFailed(f"waited {PATIENCE_S:.0f} s for {what}")
        received = os.read(self._from, 1 << 20)
        if not received:
            raise BrowserFailed(f"{self.program} has ended")
        *whole, self._left = (self._left + received).split(b"\0")
        return [json.loads(message) for message in whole]


@dataclass
class Page:
    """One page. `complaints` are what the console says, `requests` the addresses that the page asked for."""

    browser: Chromium
    session: str
    target: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    events: set[str] = field(default_factory=set)

    def note(self, method: str, params: dict[str, Any]) -> None:
        self.events.add(method)
        match method:
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(
                    params["exceptionDetails"].get("exception", {}).get("description", "?")
                )
            case "Runtime.consoleAPICalled":
                self.complaints.append(" ".join(str(a.get("value")) for a in params["args"]))
            case "Log.entryAdded":
                self.complaints.append(params["entry"]["text"])

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **params)

    def close(self) -> None:
        self.browser.call("Target.closeTarget", targetId=self.target)

    def ask(self, expression: str) -> Any:
        """What this JavaScript gives, awaited. Raises: BrowserFailed with what it threw."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            raise BrowserFailed(
                answer["exceptionDetails"].get("exception", {}).get("description", expression)
            )
        return answer["result"].get("value")

    def texts(self, selector: str) -> list[str]:
        """What is to be read in each of these that can be seen."""
        found: list[str] = self.ask(
            f"[...document.querySelectorAll({json.dumps(selector)})]"
            ".filter((n) => n.checkVisibility()).map((n) => n.innerText)"
        )
        return found

    def click(self, selector: str) -> None:
        """With the mouse, in its middle."""
        found = json.dumps(selector)
        place = self.ask(
            f"(() => {{ const n = document.querySelector({found});"
            " n.scrollIntoView({block: 'center', behavior: 'instant'});"
            " const b = n.getBoundingClientRect(); return {x: b.x + b.width / 2, y: b.y + b.height / 2}; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, **place, button="left", clickCount=1)

    def move_to(self, x: float, y: float) -> None:
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def type(self, text: str) -> None:
        """Into what has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        said = {"key": key, "code": key, "windowsVirtualKeyCode": _KEYS[key]}
        text = {"Enter": "\r", "/": "/"}.get(key)
        self.call("Input.dispatchKeyEvent", type="keyDown", **said, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **said)

    def picture(self, path: Path, *, whole: bool = False) -> None:
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))

    def printed(self) -> bytes:
        """The page on paper, as PDF."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=False)["data"])
