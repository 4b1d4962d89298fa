"""The Grafana dashboards of examples/grafana: every query of theirs runs on what `edgelstm run` has stored."""

import datetime
import json
import re
from pathlib import Path

import pytest
from command_helpers import DATA, MODEL, edgelstm_here, lines
from edgelstm.runtime.service.prometheus import exposition
from page_helpers import Page
from sink_helpers import Listed, forwarder

FOLDER = Path(__file__).parents[2] / "examples" / "grafana"
DASHBOARDS = sorted(FOLDER.glob("*.json"))
BEGIN = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.timezone.utc)
FROM, TO = "2024-05-01T00:00:00Z", "2024-05-02T00:00:00Z"


def dashboard(name):
    return json.loads((FOLDER / name).read_text())


def sql(text):
    """A query as Grafana's PostgreSQL data source sends it: its documented macros and variables replaced."""
    text = text.replace("$__interval", "30s").replace("${model:sqlstring}", "'pump'")
    text = re.sub(r"\$__timeFilter\(([^()]+)\)", rf"\1 BETWEEN '{FROM}' AND '{TO}'", text)
    text = re.sub(r"\$__timeGroup\(([^,()]+), 30s\)", r"floor(extract(epoch from \1)/30)*30", text)
    assert "$" not in text
    return text


def titled(board):
    return {panel["title"]: panel for panel in board["panels"]}


def test_there_are_dashboards():
    assert [path.name for path in DASHBOARDS] == ["edgelstm-postgresql.json", "edgelstm-prometheus.json"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_have_ids_of_their_own_and_do_not_overlap(path):
    panels = json.loads(path.read_text())["panels"]
    squares = [
        (x, y) for panel in panels for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
    ]  # fmt: skip

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(squares)) == len(squares)
    assert max(x for x, _ in squares) == 23


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_one_of_grafanas_published_schema(path):
    """Reading and writing by the schema's classes keeps everything, so nothing has a name that Grafana does not know."""
    models = pytest.importorskip("grafana_foundation_sdk.models.dashboard")
    encoder = pytest.importorskip("grafana_foundation_sdk.cog.encoder").JSONEncoder
    record = json.loads(path.read_text())
    for annotation in record["annotations"]["list"]:
        del annotation["target"]  # the data source's own

    again = json.loads(encoder().encode(models.Dashboard.from_json(record)))

    assert kept(record, again) == record


def kept(record, again):
    """The part of a record that came back; defaults beside it are left out."""
    if isinstance(record, dict):
        return {key: kept(value, again[key]) for key, value in record.items() if key in again}
    if isinstance(record, list):
        return [kept(*pair) for pair in zip(record, again, strict=True)]
    return again


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A PostgreSQL that a run has filled, and what the run printed."""
    helpers = pytest.importorskip(
        "postgres_helpers", reason="the extra [postgres] is not installed", exc_type=ImportError
    )
    if helpers.BIN is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    folder = tmp_path_factory.mktemp("grafana")
    rows = [line.split(",", 1)[1] for line in DATA.read_text().splitlines()[1:]]
    dated = [f"{(BEGIN + datetime.timedelta(seconds=at)).isoformat()},{row}" for at, row in enumerate(rows)]
    (folder / "dated.csv").write_text("\n".join(["time,level_cm,flow_lpm", *dated]) + "\n")
    (folder / "password").write_text(helpers.PASSWORD)
    server = helpers.Server()
    try:
        server.start()
        address = f"postgresql://watch@127.0.0.1:{server.port}/postgres?password-file={folder}/password"
        words = ("run", MODEL, folder / "dated.csv", "--name", "pump", "--state-dir", folder / "state")
        done = edgelstm_here(*words, "--scores", "--scores-to", address)
        assert done.returncode == 0, done.stderr
        yield server, lines(done.stdout)
    finally:
        server.remove()


def answers(server, text):
    """Columns and rows of a query, by a user who may read alone, as Grafana should be given one."""
    import psycopg

    with psycopg.connect(server.conninfo) as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        cursor.execute(sql(text))
        return [column.name for column in cursor.description], cursor.fetchall()


def test_every_query_of_the_database_dashboard_answers(store):
    board = dashboard("edgelstm-postgresql.json")
    for panel in board["panels"]:
        for target in panel["targets"]:
            columns, rows = answers(store[0], target["rawSql"])
            assert rows, panel["title"]
            assert (target["format"] == "time_series") == (columns[0] == "time")


def test_the_panels_show_what_the_run_printed(store):
    server, printed = store
    panels = titled(dashboard("edgelstm-postgresql.json"))

    def rows(title):
        return answers(server, panels[title]["targets"][0]["rawSql"])[1]

    scored = [record["score"] for record in printed if record["score"] is not None]

    assert max(score for _, score, _ in rows("Score") if score is not None) == pytest.approx(max(scored))
    assert rows("Open alarms") == [(0,)]
    assert rows("Rows scored")[0][0] == pytest.approx(len(scored) / len(printed))
    assert sum(count for _, _, count in rows("What became of the rows")) == len(printed)
    assert {name for _, name, _ in rows("Share of each channel in the score")} == {"level_cm", "flow_lpm"}
    assert all(text and start < end for start, end, _, _, _, _, text in rows("Events"))


def test_events_are_annotations_over_their_time_and_the_model_can_be_chosen(store):
    board = dashboard("edgelstm-postgresql.json")
    columns, rows = answers(store[0], board["annotations"]["list"][0]["target"]["rawSql"])
    models = answers(store[0], board["templating"]["list"][1]["query"])[1]

    assert columns == ["time", "timeend", "text", "tags"]
    assert all(BEGIN.timestamp() * 1000 <= begin <= end < (BEGIN.timestamp() + 700) * 1000 for begin, end, _, _ in rows)
    assert models == [("pump",)]


def test_every_metric_and_label_of_the_prometheus_dashboard_is_served(tmp_path):
    page = Page(rows=600, sinks=[forwarder(tmp_path, Listed())])
    served = exposition([page.runner])
    page.close()
    board = dashboard("edgelstm-prometheus.json")
    expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    for expression in expressions:
        for name in re.findall(r"edgelstm_\w+", expression):
            labels = {
                label
                for line in re.findall(rf"^{name}\{{(.*)\}}", served, re.MULTILINE)
                for label in re.findall(r'(\w+)="', line)
            }
            wanted = re.findall(r"by \(([^)]*)\)", expression)
            assert {"stream", *(part.strip() for group in wanted for part in group.split(","))} <= labels, expression
    assert len(expressions) == 11
