"""A live page over a stream that goes on, and a browser to look at it."""

import json
import os
import shutil
import subprocess
import threading
import urllib.error
import urllib.request

from command_helpers import DATA, MODEL
from edgelstm.runtime import Detector
from edgelstm.runtime.service.config import Settings
from edgelstm.runtime.service.live_page import LivePage
from edgelstm.runtime.service.runner import Runner
from edgelstm.runtime.sources import IterableSource
from sink_helpers import wait_for

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page:
    """A live page over a stream that goes on."""

    def __init__(self, settings=None, rows=600, start=0.0, sinks=()):
        values = [[float(cell) for cell in line.split(",")] for line in DATA.read_text().splitlines()[1:]]
        self.gate, self.rows, self.start = threading.Event(), rows, start
        self.runner = Runner(Detector.load(MODEL), IterableSource(self._pairs(values)), sinks, "pump")
        self.page = LivePage([self.runner], settings or Settings(listen="127.0.0.1:0"))
        self.thread = threading.Thread(target=self.runner.run, daemon=True)
        self.thread.start()
        wait_for(lambda: self.runner.status.samples == rows)

    def _pairs(self, values):
        values[9][0] -= 5  # a late row
        yield from ((self.start + row[0], row[1:]) for row in values[: self.rows])
        self.gate.wait(60)

    def get(self, path, token="", host=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.page.port}{path}")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        if host:
            request.add_header("Host", host)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(), error.headers

    def close(self):
        self.gate.set()
        self.thread.join()
        self.page.close()


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
        assert wait_for(
            lambda: [one for one in self._call("Target.getTargets")["targetInfos"] if one["type"] == "page"]
        )
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
