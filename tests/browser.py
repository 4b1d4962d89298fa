"""A headless Chromium for pages: evaluates expressions, and lets axe-core look for what keeps people out."""

import json
import os
import shutil
import subprocess
import time
from base64 import b64decode
from importlib import resources, util

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = util.find_spec("axe_core_python")
NEEDS_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (apt-get install chromium)")
NEEDS_AXE = pytest.mark.skipif(CHROMIUM is None or AXE is None, reason="needs Chromium and axe-core-python")
SIZES = ((390, 844), (1280, 900))  # a phone, a desk
SCHEMES = ("light", "dark")


def _wait(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


class Browser:
    """A headless Chromium that evaluates expressions on a page, driven through pipes (DevTools protocol)."""

    def __init__(self, folder, address, width, height=1500, zone="Europe/Berlin"):
        words = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        words += [f"--user-data-dir={folder}", f"--window-size={width},{height}", "--remote-debugging-pipe", address]
        command_read, self._write = os.pipe()
        self._read, answer_write = os.pipe()
        script = f'exec 3<&{command_read} 4>&{answer_write}; exec "$@"'
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", script, "bash", *words], pass_fds=(command_read, answer_write),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "TZ": zone},
        )  # fmt: skip
        os.close(command_read)
        os.close(answer_write)
        self._number, self._rest, self._session = 0, b"", {}
        targets = self._page_targets()
        answer = self._call("Target.attachToTarget", targetId=targets[0]["targetId"], flatten=True)
        self._session = {"sessionId": answer["sessionId"]}
        screen = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": width < 600}
        self._call("Emulation.setDeviceMetricsOverride", **screen)

    def _page_targets(self):
        assert _wait(lambda: [one for one in self._call("Target.getTargets")["targetInfos"] if one["type"] == "page"])
        return [one for one in self._call("Target.getTargets")["targetInfos"] if one["type"] == "page"]

    def _call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters, **self._session}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._rest:
                block = os.read(self._read, 1 << 16)
                assert block, "the browser has ended"
                self._rest += block
            line, _, self._rest = self._rest.partition(b"\0")
            answer = json.loads(line)
            if answer.get("id") == self._number:
                return answer["result"]

    def evaluate(self, expression):
        """Give an expression's value on the page."""
        result = self._call("Runtime.evaluate", expression=expression, returnByValue=True)["result"]
        return result.get("value")

    def close(self):
        self._process.terminate()
        self._process.wait(10)
        os.close(self._read)
        os.close(self._write)

    def wait_for(self, expression, seconds=30.0):
        """Wait until an expression on the page is true."""
        return _wait(lambda: self.evaluate(f"Boolean({expression})"), seconds)

    def show(self, width, height, scheme, scale=2):
        """Take another size of the screen, and another colour scheme."""
        screen = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}
        self._call("Emulation.setDeviceMetricsOverride", **screen)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._call("Emulation.setEmulatedMedia", features=features)

    def picture(self, path, whole=True):
        """Store the whole page, or what is seen of it."""
        path.write_bytes(b64decode(self._call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]))

    def obstacles(self):
        """Run axe-core on the page; give its findings as `rule: element`, and sideways scrolling as one more."""
        if not self.evaluate("typeof axe === 'object'"):
            self._call("Page.setBypassCSP", enabled=True)
            script = resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
            self.evaluate(script + "; 1")
        answer = self._call("Runtime.evaluate", expression=AXE_RUN, awaitPromise=True, returnByValue=True)
        assert "value" in answer["result"], answer
        findings = json.loads(answer["result"]["value"])
        wide = self.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return findings + ([f"scrolls sideways by {wide} px"] if wide > 0 else [])


AXE_RUN = """axe.run(document, {resultTypes: ["violations"]}).then(result => JSON.stringify(
  result.violations.flatMap(one => one.nodes.map(node => one.id + ": " + node.html.slice(0, 160) + " " + node.failureSummary))))"""


def obstacles_everywhere(folder, address, ready="true", act="0"):
    """Findings of axe-core on a page: on a phone and a desk, light and dark.

    Args:
        folder: For the browser's profile.
        address: The page.
        ready: Expression that is true when the page stands.
        act: Expression that opens a part of it.
    """
    browser, findings = Browser(folder, address, *SIZES[0]), []
    try:
        for width, height in SIZES:
            for scheme in SCHEMES:
                browser.show(width, height, scheme)
                assert browser.wait_for(
                    f"location.href !== 'about:blank' && document.readyState === 'complete' && ({ready})"
                )
                browser.evaluate(act)
                findings += [f"{width} px, {scheme}: {one}" for one in browser.obstacles()]
    finally:
        browser.close()
    return findings


def browse(address, user):
    """Page as a browser shows it, and its messages; no name is resolved, so that it asks nobody else either."""
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    words += ["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"]
    words += [f"--user-data-dir={user}", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--dump-dom"]
    done = subprocess.run([CHROMIUM, *words, address], capture_output=True, text=True, timeout=180)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]
