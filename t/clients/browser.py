"""A real browser, led by Chromium's DevTools protocol over a pair of pipes."""

import json
import os
import select
import signal
import subprocess
import time

TIMEOUT = 60  # seconds, for the slowest machine


class Browser:
    """A headless Chromium with one page."""

    def __init__(self, folder):
        self.folder = folder
        self.serial = 0
        self.unread = b""
        self.events = []

    def __enter__(self):
        commands, self.to = os.pipe()
        self.of, answers = os.pipe()
        # It reads from descriptor 3 and writes to 4.
        with open(self.folder / "chromium.log", "wb") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", f'exec "$@" 3<&{commands} 4>&{answers}', "-", "chromium", "--headless=new", "--no-sandbox",
                 "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run",
                 "--disable-component-update", "--remote-debugging-pipe", f"--user-data-dir={self.folder}/profile", "about:blank"],
                pass_fds=(commands, answers), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )
        os.close(commands)
        os.close(answers)
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.to)
        os.close(self.of)

    session = None

    def ask(self, method, **parameters):
        self.serial += 1
        message = {"id": self.serial, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + TIMEOUT
        while True:
            answer = self._read(deadline)
            if answer.get("id") == self.serial:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer.get("method"))

    def _read(self, deadline):
        while b"\0" not in self.unread:
            ready, _, _ = select.select([self.of], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(self.of, 1 << 16) if ready else b""
            assert piece, "no answer of the browser:\n" + (self.folder / "chromium.log").read_text(errors="replace")[-2000:]
            self.unread += piece
        message, self.unread = self.unread.split(b"\0", 1)
        return json.loads(message)

    def open(self, url):
        self._load("Page.navigate", url=url)

    def evaluate(self, script):
        return self.ask("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def wait_for(self, script):
        """What the promise of a script becomes."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def choose_file(self, selector, path):
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def click(self, selector):
        """On what leads to another page; returns when that is there."""
        self._load("Runtime.evaluate", expression=f"document.querySelector('{selector}').click()")

    def _load(self, method, **parameters):
        self.events.clear()
        self.ask(method, **parameters)
        deadline = time.monotonic() + TIMEOUT
        while "Page.loadEventFired" not in self.events:
            self.events.append(self._read(deadline).get("method"))

    def page(self):
        return self.evaluate("location.href"), self.evaluate("document.documentElement.textContent")
