"""Parts that tests of sinks share: records, a delivery into a list, a webhook on loopback."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from edgelstm.runtime.alarms.events import Event, Result
from edgelstm.runtime.io.addresses import Address, parse_address
from edgelstm.runtime.sinks import DeliveryError, plan_delivery
from edgelstm.runtime.sinks.spool import Spool
from edgelstm.runtime.sinks.store_and_forward import Forwarder

RESULT = Result(1.0, 2.5, 1.0, True, (3.0, 1.0))
NAMES = ("flow", "motor")


def event(number, state="open", kind="anomaly"):
    return Event(f"e{number}", kind, state, float(number), None, 2.0, ("flow",))


def record(number):
    return {"type": "score", "model": "pump", "row": number}


def rows(held):
    return [item.record["row"] for item in held]


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


class Listed:
    """A delivery into a list, which can be made to fail."""

    name = "list"
    longest_wait = 0.05

    def __init__(self):
        self.records, self.down, self.closed = [], False, False

    def deliver(self, records):
        if self.down:
            raise DeliveryError("down")
        self.records += records
        return len(records)

    def stop_waiting(self):
        pass

    def close(self):
        self.closed = True


def forwarder(folder, delivery, limit=1 << 20, scores=True):
    return Forwarder(delivery, Spool(folder, limit), "pump", NAMES, scores)


def open_sink(address):
    return plan_delivery(address if isinstance(address, Address) else parse_address(address), "pump", True)()


def score_records(count, first=0):
    return [
        {"seq": n, "type": "score", "model": "pump", "row": n, "time": None, "score": 1.0, "threshold": 2.0,
         "anomaly": False, "status": "ok", "contribution": None}
        for n in range(first, first + count)
    ]  # fmt: skip


class Hook:
    """A webhook on loopback that answers as told."""

    def __init__(self):
        hook = self
        self.bodies, self.headers, self.answer, self.delay = [], [], 200, 0.0
        self.location, self.requests = "", 0

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                hook.requests += 1
                time.sleep(hook.delay)
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                if hook.answer == 200:
                    hook.bodies.append(json.loads(body))
                    hook.headers.append(dict(self.headers))
                self.send_response(hook.answer)
                if hook.location:
                    self.send_header("Location", hook.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_HEAD = do_POST  # noqa: N815

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
