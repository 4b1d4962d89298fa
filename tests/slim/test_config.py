"""Configuration files and the dry run."""

import json
import sqlite3

import pytest
from command_helpers import DATA, MODEL, MODELS, edgelstm, edgelstm_here, lines
from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.service.config import Settings, load_config


def write_config(folder, **more):
    text = f'model = "{MODEL}"\nsource = "{DATA}"\nstate-dir = "{folder}/state"\n'
    (folder / "pump.toml").write_text(text + "".join(f"{key} = {json.dumps(value)}\n" for key, value in more.items()))
    return folder / "pump.toml"


def test_a_configuration_feeds_several_sinks_at_once(tmp_path):
    done = edgelstm("run", "--config", write_config(
        tmp_path, **{"to": [f"file:{tmp_path}/events.jsonl"], "scores-to": [f"sqlite:{tmp_path}/scores.db"]}
    ))  # fmt: skip
    base = sqlite3.connect(tmp_path / "scores.db")
    counts = (
        base.execute("SELECT count(*) FROM score").fetchone()[0],
        base.execute("SELECT count(*) FROM event").fetchone()[0],
    )
    base.close()
    opened = [event["id"] for event in lines(done.stdout) if event["state"] == "open"]

    assert done.returncode == 0
    assert counts == (600, len(opened))
    assert [one["id"] for one in lines((tmp_path / "events.jsonl").read_text()) if one["state"] == "open"] == opened


def test_several_models_run_in_one_process(tmp_path):
    (tmp_path / "both.toml").write_text(
        f'source = "{DATA}"\nstate-dir = "{tmp_path}"\n[[stream]]\nmodel = "{MODEL}"\nname = "a"\n'
        f'[[stream]]\nmodel = "{MODELS / "cast.int8.tflite"}"\nname = "b"\n'
    )
    done = edgelstm_here("run", "--config", tmp_path / "both.toml")
    alone = edgelstm_here("run", MODEL, DATA)
    events = lines(done.stdout)

    assert {event.pop("model") for event in events} == {"a", "b"}
    assert [event for event in events if event["id"] in alone.stdout] == lines(alone.stdout)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("sauce", "x", "unknown key 'sauce'. Did you mean 'source'?"),
        ("follow", "maybe", "follow must be a bool"),
        ("to", ["carrier-pigeon:x"], "unknown kind"),
        ("to", [{"url": "sqlite:x", "kep": 1}], "Did you mean 'keep'?"),
        ("columns", "a,b,c", "--columns names 3"),
        ("columns", [1], "columns must be text or a list of it"),
        ("limit", [5], "limit must be text or a list of it"),
        ("to", [5], "to must be text or a list of it"),
    ],
)
def test_a_wrong_configuration_is_refused_with_the_reason(tmp_path, key, value, said):
    path = write_config(tmp_path)
    written = (
        ", ".join(f"{name} = {json.dumps(part)}" for name, part in value[0].items())
        if isinstance(value[0], dict)
        else ""
    )
    path.write_text(path.read_text() + f"{key} = {f'[{{{written}}}]' if written else json.dumps(value)}\n")
    done = edgelstm_here("run", "--config", path, "--dry-run")

    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr


def test_a_dry_run_checks_all_and_writes_nothing(tmp_path):
    done = edgelstm_here("run", "--config", write_config(tmp_path, to=[f"sqlite:{tmp_path}/e.db"]), "--dry-run")

    assert done.returncode == 0
    assert "autoencoder, int8" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["pump.toml"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.csv"], "There is no file none.csv"),
        ([DATA, "--to", "sqlite:none/e.db"], "there is no folder none"),
        ([DATA, "--state", "none/state"], "there is no folder none"),
        ([DATA, "--event-log", "e.jsonl"], "--event-log requires --state"),
        ([DATA, "--token-file", "none"], "Cannot read the secret in none"),
        (["mqtt://host/topic?password-file=none"], "Cannot read the secret in none"),
    ],
)
def test_a_dry_run_finds_files_that_are_not_there(tmp_path, monkeypatch, words, message):
    if str(words[0]).startswith("mqtt:"):
        pytest.importorskip("paho", reason="needs the mqtt extra")
    monkeypatch.chdir(tmp_path)
    done = edgelstm_here("run", MODEL, *words, "--dry-run")

    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("updates", "message"),
    [
        ('"https://plant"', "updates is a table"),
        ('{ url = "u", root = "none.json", group = "all" }', "There is no root metadata none.json"),
        ('{ url = "u", root = "root.json", group = "all" }', "No signed model is installed in"),
        ('{ url = "u", root = "root.json", group = "a/b" }', "letters, digits, - and _; received 'a/b'"),
        ('{ url = "u", root = "root.json", every = "0.5s" }', "every is at least 1s"),
        ('{ url = "u", root = "root.json", trial = "soon" }', "a number with s, m, h or d"),
    ],
)
def test_updates_that_cannot_be_are_refused_by_a_dry_run(tmp_path, monkeypatch, updates, message):
    pytest.importorskip("tuf", reason="needs the update extra")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "root.json").write_text("{}")
    (tmp_path / "pump.toml").write_text(
        f'name = "pump"\nsource = "{DATA}"\nrequire-signed = true\nstate-dir = "{tmp_path}/state"\nupdates = {updates}\n'
    )
    done = edgelstm_here("run", "--config", "pump.toml", "--dry-run")

    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert not (tmp_path / "state").exists()


def test_no_secret_is_printed():
    pytest.importorskip("paho", reason="needs the mqtt extra")
    source = "mqtt://me:sesame@127.0.0.1:1/plant"
    sink = "https://me:sesame@host/T012345ABCDE6789xyz?token=sesame"
    dry = edgelstm_here("run", MODEL, source, "--to", sink, "--dry-run")
    wrong = edgelstm_here("run", MODEL, "mqtt://me:sesame@[::1/plant", "--to", sink)

    assert "mqtt://127.0.0.1:1/plant to standard output, https://host/***" in dry.stdout
    assert "mqtt://***@[::1/plant" in wrong.stderr
    assert "sesame" not in dry.stdout + dry.stderr + wrong.stdout + wrong.stderr


def test_the_keys_of_a_configuration_are_the_flags_of_run():
    from edgelstm.runtime.service.config import StreamConfig
    from edgelstm.runtime.service.config import _keys as keys

    from edgelstm.cli.run import command

    flags = {option.lstrip("-") for parameter in command.params for option in parameter.opts}

    tables = {"updates", "require-signed"}  # a table has no flag
    assert {*keys(Settings), *keys(StreamConfig)} - tables == flags - {"config", "dry-run"}


def test_a_configuration_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"\xff\x00 = [[[")
    for name in ("a.toml", "b.toml"):
        with pytest.raises(ConfigError):
            load_config(tmp_path / name)
