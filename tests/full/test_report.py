"""The accuracy-versus-size report: one small model through the command, and its parts on their own."""

import csv
import functools
import http.server
import io
import json
import shutil
import threading
from dataclasses import replace

import pytest
from browser import NEEDS_AXE, NEEDS_CHROMIUM, browse, obstacles_everywhere
from commands import PUMP, here
from edgelstm.runtime.io.terminal import printable
from edgelstm.runtime.model_file.detection_limits import LimitTable
from rich.console import Console

from edgelstm.reporting.render_html import render
from edgelstm.reporting.render_terminal import show
from edgelstm.reporting.render_text import to_json, to_markdown
from edgelstm.reporting.report_json import read_report
from edgelstm.reporting.schema import Drop, Measured, Scheme
from edgelstm.reporting.tables import tables
from edgelstm.reporting.verdict import keeps_quality, remarks, verdicts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A quickly trained model, labelled rows, and the report on both."""
    from edgelstm.data.series import read_series
    from edgelstm.training.architectures import Architecture
    from edgelstm.training.train import Options, train

    folder = tmp_path_factory.mktemp("report")
    for name, rows in (("normal", 1500), ("faults", 2400)):
        lines = PUMP.joinpath(f"pump_{name}.csv").read_text().splitlines(keepends=True)
        (folder / f"{name}.csv").write_text("".join(lines[: rows + 1]))
    options = Options(Architecture("autoencoder", units=(8,)), lookback=12, epochs=4)
    train(read_series([folder / "normal.csv"]), options).save(folder / "pump.keras")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgelstm.reporting.pipeline.SECONDS", 0.1)  # of timing a scheme
        done = here("report", folder / "pump.keras", "--data", folder / "faults.csv", "-o", folder / "report")
    (folder / "stdout.txt").write_text(done.stdout)
    return folder


@pytest.fixture(scope="module")
def report(folder):
    return read_report((folder / "report/report.json").read_text(), "report.json")


@pytest.fixture(scope="module")
def measured(folder):
    """Result of `edgelstm bench` for the report's int8 file."""
    return json.loads(here("bench", folder / "report/pump.int8.tflite", "--seconds", 0.05, "--json").stdout)


def test_text_of_another_machines_file_does_not_steer_the_terminal(report):
    bench = report.made_schemes[0].bench
    hostile = replace(bench, machine=replace(bench.machine, processor="chip\x1b]0;owned\x07[bold]"))
    shown = io.StringIO()
    show(replace(report, benches=(Measured("pi.json", (hostile,)),)), Console(file=shown, width=300))

    assert "chip\\x1b]0;owned\\x07[bold]" in shown.getvalue()
    assert printable(shown.getvalue()) == shown.getvalue()


def test_every_form_shows_what_the_model_would_catch(report):
    limits = LimitTable("smallest fault found", ("channel", "offset", "drift"), (("flow|lpm", "0.7", "-"),))
    limited = replace(report, model=replace(report.model, limits=limits))
    page, text = render(limited), to_markdown(limited)

    assert "What it would catch" in render(report)
    assert "What it would catch" not in render(replace(report, model=replace(report.model, limits=None)))
    assert '<th scope="col">drift</th>' in page
    assert "Smallest fault found; measured in training" in page
    assert "| flow\\|lpm | 0.7 | - |" in text
    assert read_report(to_json(limited), "report.json").model.limits == limits


def test_the_alarms_are_in_the_report_and_on_a_page_beside_it(folder, report):
    page, text = render(report), to_markdown(report)

    assert report.alarms.sentences
    assert "0–2399" in report.alarms.summary
    assert f'<a href="{report.alarms.page}">' in page
    assert all(sentence in text for sentence in report.alarms.sentences)
    assert "pump.int8.tflite" in (folder / "report" / report.alarms.page).read_text()


# -- the page --------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(folder):
    """The report's folder on a port of this machine, with the paths that were asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    served = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder / "report"))
    )
    threading.Thread(target=served.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}", asked
    served.shutdown()
    served.server_close()


@NEEDS_CHROMIUM
def test_a_browser_shows_the_page_without_a_complaint_or_a_further_request(server, report, tmp_path):
    """The page's own policy forbids every request: one that it tried would be a complaint."""
    address, asked = server

    page, complaints = browse(f"{address}/report.html", tmp_path)

    assert asked == ["/report.html"]
    assert complaints == []
    assert "default-src 'none'" in page
    for label in ("Accuracy versus size", "Scores over time", "Error per layer", "Error per weight tensor",
                  "Autocorrelation", "Training curves", "Example windows"):  # fmt: skip
        assert f'aria-label="{label}"' in page
    assert ('aria-label="Value histograms"' in page) == bool(report.figures.histograms)
    assert page.count('scope="row"') == sum(len(table.rows) for table in tables(report))


@NEEDS_CHROMIUM
def test_a_request_would_be_noticed(server, folder, tmp_path):
    address, asked = server
    text = (folder / "report/report.html").read_text()
    (folder / "report/spoilt.html").write_text(text.replace("<header>", '<header><img src="x.png">'))

    _, complaints = browse(f"{address}/spoilt.html", tmp_path)

    assert any("Content Security Policy" in line for line in complaints)
    assert asked == ["/spoilt.html"]


def test_the_page_names_nothing_on_a_network(folder):
    page = (folder / "report/report.html").read_text()

    for mark in ("<script", "src=", "@import", "url(http", '<link rel="stylesheet'):
        assert mark not in page


def test_the_json_alone_gives_the_page_again(folder, report):
    assert render(report) == (folder / "report/report.html").read_text()


def test_csv_and_terminal_hold_every_scheme(folder, report):
    rows = list(csv.DictReader((folder / "report/report.csv").read_text().splitlines()))
    printed = (folder / "stdout.txt").read_text()

    assert [row["scheme"] for row in rows] == ["keras", *(scheme.scheme for scheme in report.schemes)]
    for row, scheme in zip(rows[1:], report.schemes, strict=True):
        assert float(row["vus_pr"]) == scheme.metrics["vus_pr"]
        assert float(row["vus_pr_drop"]) == scheme.drops["vus_pr"].value
        assert scheme.scheme in printed
    assert "VUS-PR" in (folder / "report/report.md").read_text()


# -- figures that hold -----------------------------------------------------------------------------------------------


def test_quality_is_that_of_the_evaluate_command(folder, report):
    said = json.loads(here("evaluate", folder / "report/pump.int8.tflite", folder / "faults.csv", "--json").stdout)
    int8 = next(scheme for scheme in report.schemes if scheme.scheme == "int8")

    for name in ("vus_pr", "event_recall", "false_alarms_per_day"):
        assert int8.metrics[name] == pytest.approx(said[name])
    assert int8.size == (folder / "report/pump.int8.tflite").stat().st_size


def test_float32_is_no_drop_at_all(report):
    drop = report.schemes[0].drops["vus_pr"]

    assert report.schemes[0].scheme == "float32"
    assert drop.value == pytest.approx(0, abs=1e-3)
    assert not drop.certain


def test_every_layer_of_int8_has_an_error_and_a_range(report):
    layers = {error.name: error.error for error in report.figures.layers["int8"]}
    ranges = {panel.name: panel for panel in report.figures.histograms}
    int8 = next(scheme for scheme in report.schemes if scheme.scheme == "int8")
    integer = {"input", "LSTM 1"} if int8.validation["depth"] == "full" else set()  # a tensor in float has no range

    assert {"LSTM 1", "LSTM 2", "Dense 2"} <= set(layers)
    assert all(0 < error < 0.5 for error in layers.values())
    assert integer <= set(ranges)
    assert all(panel.low < panel.high and 0 <= panel.clipped < 0.1 for panel in ranges.values())


def test_too_few_blocks_give_no_interval_and_the_report_says_so(report):
    schemes = tuple(
        replace(scheme, drops={"vus_pr": Drop(scheme.drops["vus_pr"].value, None, None)}) for scheme in report.schemes
    )

    assert any("too few" in said for said in remarks(replace(report, schemes=schemes)))


# -- verdict ---------------------------------------------------------------------------------------------------------


def changed(report, scheme, **changes):
    """The report with one scheme changed."""
    return replace(
        report, schemes=tuple(replace(each, **changes) if each.scheme == scheme else each for each in report.schemes)
    )


def test_a_certain_drop_rules_a_scheme_out_and_noise_does_not(report):
    worse = changed(report, "int8", drops={"vus_pr": Drop(-0.2, -0.3, -0.1)})
    noise = changed(report, "int8", drops={"vus_pr": Drop(-0.2, -0.5, 0.1)})

    assert not keeps_quality(worse, worse.schemes[3])
    assert keeps_quality(noise, noise.schemes[3])
    assert any("is real" in said for said in remarks(worse))
    assert any("may be noise" in said for said in remarks(noise))


def test_an_int8_file_that_is_larger_or_slower_is_called_so(report):
    bench = report.schemes[3].bench
    slow = replace(bench, latency=replace(bench.latency, p50=1e5))

    said = " ".join(remarks(changed(report, "int8", size=10**6, bench=slow)))

    assert report.schemes[3].scheme == "int8"
    assert "int8 is larger than" in said
    assert "times slower than float32" in said


def test_a_scheme_that_cannot_be_made_is_named_with_its_reason(report):
    page = render(replace(report, schemes=(*report.schemes, Scheme("int16x8", refused="No such kernel."))))

    assert "There is no int16x8 file: No such kernel." in page


# -- measurements from other machines --------------------------------------------------------------------------------


def test_a_measurement_from_a_pi_is_merged_and_marked(folder, report, measured, tmp_path):
    board = {**measured[0]["machine"], "machine": "aarch64", "processor": "Raspberry Pi 5 Model B"}
    (tmp_path / "pi5.json").write_text(json.dumps([{**measured[0], "machine": board}]))
    shutil.copytree(folder / "report", tmp_path / "report")
    before = next(verdict for verdict in verdicts(report) if verdict.target == "Raspberry Pi")

    here("report", "-o", tmp_path / "report", "--bench", tmp_path / "pi5.json")

    merged = read_report((tmp_path / "report/report.json").read_text(), "report.json")
    after = next(verdict for verdict in verdicts(merged) if verdict.target == "Raspberry Pi")
    assert not before.measured
    assert "edgelstm bench" in before.command
    assert after.measured
    assert "Raspberry Pi 5 Model B" in (tmp_path / "report/report.html").read_text()
    assert merged.schemes == report.schemes


def test_a_stranger_s_measurement_is_refused(folder, measured, tmp_path):
    (tmp_path / "pi.json").write_text(json.dumps([{**measured[0], "source": "f" * 64}]))
    (tmp_path / "no.json").write_text('{"p50": 3}')
    before = (folder / "report/report.json").read_bytes()

    other = here("report", "-o", folder / "report", "--bench", tmp_path / "pi.json", code=1).stderr
    none = here("report", "-o", folder / "report", "--bench", tmp_path / "no.json", code=1).stderr

    (tmp_path / "stream.json").write_text(json.dumps([{**measured[0], "form": "streaming"}]))
    stream = here("report", "-o", folder / "report", "--bench", tmp_path / "stream.json", code=1).stderr

    assert "measured on the form streaming" in stream
    assert "this report is on windows" in stream
    assert "measured on another model" in other
    assert "not a result of `edgelstm bench" in none
    assert len(other.splitlines()) == len(none.splitlines()) == 1
    assert (folder / "report/report.json").read_bytes() == before


# -- bad input -------------------------------------------------------------------------------------------------------


def test_bad_input_is_one_line_and_leaves_no_file(folder, tmp_path):
    (tmp_path / "no.keras").write_bytes(b"hello")
    model, out = folder / "pump.keras", tmp_path / "out"

    assert "not a Keras model file" in here("report", tmp_path / "no.keras", "-o", out, code=1).stderr
    assert "gone.csv" in here("report", model, "--data", tmp_path / "gone.csv", "-o", out, code=1).stderr
    assert "int7" in here("report", model, "--schemes", "int7", "-o", out, code=2).stderr
    assert "report.json" in here("report", "-o", out, "--bench", tmp_path / "no.keras", code=1).stderr
    assert not out.exists()


@NEEDS_AXE
@pytest.mark.parametrize("name", ["report.html", "alarms.html"])
def test_nothing_keeps_people_out_of_the_pages(folder, tmp_path, name):
    assert obstacles_everywhere(tmp_path, f"file://{folder}/report/{name}") == []
