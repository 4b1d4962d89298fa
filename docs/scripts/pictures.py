"""Pictures of the documents, drawn anew from what the commands make.

    python docs/scripts/pictures.py demo                          # demo.png, report-light.png, report-dark.png: 3 minutes
    EDGELSTM_DATA=DIR python docs/scripts/pictures.py forecast    # forecast.png, from DIR/electricity: 1 minute
    python docs/scripts/pictures.py waiting                       # waiting.svg, from benchmarks/results/waiting.json

Needs Chromium, the extras `train` and `test`, and no network. Look at what it draws before it is committed.
"""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
WIDTH = 1000  # pixels
COLOURS = ("#bbbbbb", "#56b4e9", "#009e73", "#0072b2")  # of versions, oldest first (Okabe and Ito)
AT_SIGNALS = "document.querySelector('canvas').closest('section')"
AT_PLOTS = "[...document.querySelectorAll('h2')].find(one => one.textContent.startsWith('Accuracy versus size'))"
# half-hourly demand of Victoria: the first 80 % train, the forecast is from midnight in Melbourne, 13 August 2014
TRAINED, MIDNIGHT, DAY, SHOWN = 42_086, "2014-08-12T14:00:00Z", 48, 20

sys.path.insert(0, str(ROOT / "tests"))
from browser import Browser  # noqa: E402


def edgelstm(*words: object) -> None:
    """Run a command of this environment."""
    command = [str(Path(sys.executable).with_name("edgelstm")), *map(str, words)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def draw(page: Path, name: str, height: int, scheme: str = "light", scroll_to: str = "document.body") -> None:
    """Store what a browser shows of a page.

    Args:
        page: The HTML file.
        name: Of the picture.
        height: Pixels.
        scheme: `light` or `dark`.
        scroll_to: Expression of the element at the top.
    """
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(profile, page.as_uri(), WIDTH, height)
        try:
            browser.show(WIDTH, height, scheme, scale=1)
            if not browser.wait_for("location.href !== 'about:blank' && document.readyState === 'complete'"):
                raise SystemExit(f"{page} does not load")
            browser.evaluate("document.documentElement.style.scrollbarWidth = 'none'")
            browser.evaluate(f"{scroll_to}.scrollIntoView()")
            browser.picture(IMAGES / name, whole=False)
        finally:
            browser.close()
    Image.open(IMAGES / name).convert("RGB").quantize(128).save(IMAGES / name, optimize=True)


def draw_demo(folder: Path) -> None:
    """The demo's page of alarms, and the report on its model."""
    edgelstm("demo", "-o", folder / "demo")
    draw(folder / "demo" / "alarms.html", "demo.png", 1000, scroll_to=AT_SIGNALS)
    data = ("--data", folder / "demo" / "pump_faults.csv", "--label-column", "anomaly")
    edgelstm("report", folder / "demo" / "pump.keras", *data, "-o", folder / "report")
    draw(folder / "report" / "report.html", "report-light.png", 1195)
    draw(folder / "report" / "report.html", "report-dark.png", 2050, "dark", AT_PLOTS)


def draw_forecast(folder: Path) -> None:
    """The forecast of docs/how-to/forecast.md."""
    source = Path(os.environ["EDGELSTM_DATA"]) / "electricity" / "vic_electricity.csv.gz"
    lines = [line.rsplit(",", 2) for line in gzip.decompress(source.read_bytes()).decode().splitlines()]
    rows = [f"{values},{holiday}\n" for values, _, holiday in lines]
    (folder / "load.csv").write_text("".join(rows[: TRAINED + 1]))
    now = next(at for at, row in enumerate(rows) if row.startswith(MIDNIGHT))
    # of the day to come, the holiday alone is known
    coming = [f"{row.split(',')[0]},,,{row.rsplit(',', 1)[1]}" for row in rows[now : now + DAY]]
    (folder / "recent.csv").write_text("".join([rows[0], *rows[now - SHOWN * DAY : now], *coming]))
    inputs = ("--covariates", "Holiday", "--columns", "Temperature", "--calendar", "--timezone", "Australia/Melbourne")
    horizon = ("--target", "Demand", "--horizon", DAY)
    edgelstm("train", "forecaster", folder / "load.csv", "-o", folder / "load.keras", *horizon, *inputs)
    edgelstm("convert", folder / "load.keras", "--int8")
    edgelstm("forecast", folder / "load.int8.tflite", folder / "recent.csv", "--plot", IMAGES / "forecast.png")


def draw_waiting(_: Path) -> None:
    """Processor time of commands, a bar a version."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "waiting"  # the same figures, the same bytes
    import matplotlib.pyplot as plt

    commands = json.loads((ROOT / "benchmarks" / "results" / "waiting.json").read_text())["commands"]
    versions = list(dict.fromkeys(version for row in commands.values() for version in row["versions"]))
    figure, axis = plt.subplots(figsize=(8, 0.6 + 0.5 * len(commands)), layout="constrained")
    height = 0.8 / len(versions)
    for number, version in enumerate(versions):
        rows = [(at, row["versions"][version]["cpu"]) for at, row in enumerate(commands.values()) if version in row["versions"]]  # fmt: skip
        places, seconds = zip(*rows, strict=True)
        bars = axis.barh([at + height * number for at in places], seconds, 0.9 * height, label=version, color=COLOURS[number])  # fmt: skip
        axis.bar_label(bars, [f"{value:.2g}" if value < 10 else f"{value:.0f}" for value in seconds], padding=2, fontsize=7)  # fmt: skip
    axis.set_yticks([at + 0.4 - height / 2 for at in range(len(commands))], list(commands))
    axis.invert_yaxis()
    axis.set_xscale("log")
    axis.set_xlabel("processor time, seconds")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(title="version", frameon=False)
    figure.savefig(IMAGES / "waiting.svg", metadata={"Date": None})


def main() -> None:
    """Draw what the command line names."""
    with TemporaryDirectory() as folder:
        for name in sys.argv[1:] or sys.exit(str(__doc__)):
            {"demo": draw_demo, "forecast": draw_forecast, "waiting": draw_waiting}[name](Path(folder))


if __name__ == "__main__":
    main()
