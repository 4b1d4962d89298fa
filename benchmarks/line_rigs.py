"""Devices that send numbers line by line or message by message: a file that grows, an IIO sensor, a serial line, an MQTT broker."""

import os
import time
from pathlib import Path


class FileRig:
    """A CSV file that grows, followed as `tail -F` does."""

    restartable, follow = False, True

    def __init__(self, folder: Path) -> None:
        self.sent, self.address = {}, str(folder / "pump.csv")
        self.stream = open(self.address, "w")  # noqa: SIM115
        self.stream.write("Flow,Motor\n")

    def start(self) -> None:
        """Do nothing: it is there."""

    def send(self, count: int) -> None:
        """Append the next numbers."""
        for _ in range(count):
            number = len(self.sent)
            self.sent[number] = time.perf_counter()
            self.stream.write(f"{number},{number}\n")
        self.stream.flush()

    def close(self) -> None:
        """Close it."""
        self.stream.close()


class IioRig:
    """A sensor's folder as the kernel leaves it, read each millisecond: what it shows changes when a number is sent."""

    restartable, polled = False, True

    def __init__(self, folder: Path) -> None:
        self.sent, self.device = {}, folder / "iio:device0"
        self.device.mkdir()
        (self.device / "name").write_text("pump\n")
        self.address = f"iio:pump?every=0.001&root={folder}"
        self.send(1)

    def start(self) -> None:
        """Do nothing: it is there."""

    def send(self, count: int) -> None:
        """Show the last of the next numbers."""
        number = len(self.sent) + count - 1
        self.sent |= dict.fromkeys(range(len(self.sent), number + 1), time.perf_counter())
        for channel in ("Flow", "Motor"):
            (self.device / "next").write_text(f"{number}\n")
            (self.device / "next").replace(self.device / f"in_{channel}_input")

    def close(self) -> None:
        """Do nothing."""


class SerialRig:
    """A pseudo terminal, a line a number."""

    restartable = False

    def __init__(self, folder: Path) -> None:
        import pty
        import tty

        self.sent, (self.line, self.device) = {}, pty.openpty()
        tty.setraw(self.device)
        self.address = f"serial:{os.ttyname(self.device)}?baud=115200"

    def start(self) -> None:
        """Do nothing: it is there."""

    def send(self, count: int) -> None:
        """Write the next numbers."""
        for _ in range(count):
            number = len(self.sent)
            self.sent[number] = time.perf_counter()
            os.write(self.line, f"{number},{number}\n".encode())

    def close(self) -> None:
        """Unplug."""
        os.close(self.line)
        os.close(self.device)


class MqttRig:
    """A device that publishes JSON with QoS 1 to a mosquitto, which keeps the source's session."""

    def __init__(self, folder: Path) -> None:
        from mqtt_helpers import Broker

        self.sent, self.broker, self.device = {}, Broker(folder / "broker"), None
        self.address = f"mqtt://127.0.0.1:{self.broker.port}/plant/pump?session=persistent"
        self.stop = self.broker.stop

    def start(self) -> None:
        """Start the broker, and the device once."""
        from mqtt_helpers import Publisher

        self.broker.start()
        self.device = self.device or Publisher(self.broker)

    def send(self, count: int) -> None:
        """Publish the next numbers, a message a number; the device keeps those that did not arrive."""
        for _ in range(count):
            number = len(self.sent)
            self.sent[number] = time.perf_counter()
            self.device.send("plant/pump", f'{{"Flow": {number}, "Motor": {number}}}')

    def close(self) -> None:
        """End both."""
        self.device.close()
        self.broker.stop()
