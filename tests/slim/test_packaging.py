"""Packages: one version, an add-on that Home Assistant's rules accept, requirements judged for the device."""

import os
import re
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from edgelstm.runtime.languages.catalogue import languages
from edgelstm.runtime.service import home_assistant
from edgelstm.runtime.service.config import Settings, StreamConfig, make_config

import edgelstm

vol = pytest.importorskip("voluptuous", reason="needs the test extra")
yaml = pytest.importorskip("yaml", reason="needs the test extra")
PACKAGING = Path(__file__).parents[2] / ".github" / "packaging"

# Rules of Home Assistant's Supervisor (addons/validate.py and options.py), for the keys that we use, without their defaults
TYPE = (
    r"^(bool|email|url|port|str(\(\d*,\d*\))?|password(\(\d*,\d*\))?|int(\(\d*,\d*\))?|float(\([\d.]*,[\d.]*\))?"
    r"|match\(.*\)|list\(.+\)|device(\(subsystem=[a-z]+\))?)\??$"
)
ELEMENT = vol.Schema(vol.Any(vol.Match(TYPE), [vol.Any(vol.Match(TYPE), {str: vol.Self})], {str: vol.Self}))
ADDON = vol.Schema(
    {
        vol.Required("name"): str,
        vol.Required("version"): vol.Match(r"^\d+\.\d+\.\d+"),
        vol.Required("slug"): vol.Match(r"^[-_.A-Za-z0-9]+$"),
        vol.Required("description"): str,
        vol.Required("arch"): [vol.In(["aarch64", "amd64"])],
        "services": [vol.Match(r"^(mqtt|mysql):(provide|want|need)$")],
        "ingress": vol.Equal(True),
        "ingress_port": vol.All(int, vol.Range(1, 65535)),
        "panel_icon": vol.Match(r"^mdi:[a-z-]+$"),
        "panel_title": str,
        "panel_admin": vol.Equal(False),
        "uart": vol.Equal(True),
        "map": [
            {
                "type": vol.In(["addon_config", "share", "media", "ssl", "homeassistant_config", "data"]),
                "read_only": bool,
                "path": str,
            }
        ],
        "timeout": vol.All(int, vol.Range(10, 300)),
        vol.Required("options"): dict,
        vol.Required("schema"): {str: ELEMENT},
    }
)
TRANSLATION = vol.Schema({"configuration": {str: {vol.Required("name"): str, "description": str}}})


def script(name):
    """Names of one of the scripts, which import each other."""
    sys.path.insert(0, str(PACKAGING))
    try:
        return runpy.run_path(str(PACKAGING / f"{name}.py"))
    finally:
        sys.path.remove(str(PACKAGING))


@pytest.fixture(scope="module")
def addon(tmp_path_factory):
    """The add-on's folder, as it is published."""
    folder = tmp_path_factory.mktemp("addon") / "repository"
    script("build_addon")["build"]("ghcr.io/Example/edgelstm", folder)
    assert set(yaml.safe_load((folder / "repository.yaml").read_text())) == {"name", "maintainer"}
    return folder / "edgelstm"


@pytest.fixture(scope="module")
def config(addon):
    return yaml.safe_load((addon / "config.yaml").read_text())


def _needed(kind):
    """Tell whether an option may not be left out: a list is judged by its first element."""
    first = kind[0] if isinstance(kind, list) else kind
    return not (isinstance(first, str) and first.endswith("?"))


def valid(schema, value):
    """The rules by which the Supervisor judges options: what is required is there, and of its type."""
    if isinstance(schema, list):
        return isinstance(value, list) and all(valid(schema[0], part) for part in value)
    if isinstance(schema, dict):
        needed = {key for key, kind in schema.items() if _needed(kind)}
        known = isinstance(value, dict) and needed <= value.keys() <= schema.keys()
        return known and all(valid(schema[key], part) for key, part in value.items())
    kind, _, limits = schema.rstrip("?").partition("(")
    inner = limits[:-1]
    checks = {
        "str": lambda: isinstance(value, str),
        "float": lambda: float(inner.split(",")[0] or "-inf") <= value,
        "match": lambda: re.match(inner, value) is not None,
        "list": lambda: value in inner.split("|"),
    }
    return bool(checks[kind]())


def test_one_version_in_all_packages(addon, config):
    version = edgelstm.__version__
    printed = subprocess.run([sys.executable, PACKAGING / "release.py"], capture_output=True, text=True, check=True)
    dockerfile = (PACKAGING / "container" / "Dockerfile").read_text()
    built = (addon / "Dockerfile").read_text()

    assert printed.stdout.strip() == config["version"] == version
    assert script("build_deb")["Package"]("arm64", "trixie").file_name == f"edgelstm_{version}+deb13_arm64.deb"
    assert 'image.version="${VERSION}"' in dockerfile
    assert "edgelstm_${VERSION}+deb12_" in dockerfile  # another version than the package's finds no file
    assert f"ARG BASE=ghcr.io/example/edgelstm:{version}\n" in built
    assert f'io.hass.version="{version}"' in built
    assert not [path for path in addon.rglob("*.*") if b"@VERSION@" in path.read_bytes()]
    written = [path for path in PACKAGING.rglob("*") if path.is_file() and version.encode() in path.read_bytes()]
    assert written == []  # nowhere copied by hand


def test_home_assistants_rules_accept_the_add_on(config):
    assert ADDON(config)
    assert valid(config["schema"], config["options"])


@pytest.mark.parametrize(
    "change", [{"arch": ["x86"]}, {"services": ["mqtt"]}, {"hassio": True}, {"schema": {"a": "text"}}]
)
def test_they_refuse_what_is_wrong(config, change):
    with pytest.raises(vol.Invalid):
        ADDON({**config, **change})


def test_options_of_every_kind_pass_the_schema_and_make_a_configuration(config):
    stream = {
        "model": "pump.tflite",
        "topic": "plant/#",
        "name": "pump",
        "columns": "a,b",
        "threshold": 2.0,
        "limit": ["a=0:1"],
        "missing": ["off"],
    }
    options = {"language": "de", "streams": [stream]}
    made = make_config(home_assistant.configuration(options, {"host": "h", "port": 1883}))

    assert {*stream, "source"} == set(config["schema"]["streams"][0])
    assert valid(config["schema"], options)
    assert made.streams[0].source_columns == ("a", "b")
    assert not valid(config["schema"], {"language": "fr", "streams": []})
    assert not valid(config["schema"], {"language": "en"})
    assert not valid(config["schema"], {"language": "en", "streams": [{"topic": "a"}]})
    assert not valid(config["schema"], {"language": "en", "streams": [{**stream, "name": "a/b"}]})


def test_options_are_called_like_the_keys_of_a_configuration_file(config):
    assert set(config["schema"]) - {"streams"} <= set(Settings.__dataclass_fields__)
    assert set(config["schema"]["streams"][0]) - {"topic"} <= set(StreamConfig.__dataclass_fields__)


def test_the_add_on_offers_the_languages_that_there_are(config):
    assert config["schema"]["language"] == f"list({'|'.join(languages())})"


@pytest.mark.parametrize(("homepage", "contact"), [("", "a@example.org"), ("https://example.org/a/b", ""), ("", "")])
def test_nothing_is_published_without_a_home_and_a_contact(homepage, contact):
    named = {"EDGELSTM_HOMEPAGE": homepage, "EDGELSTM_CONTACT": contact}
    command = [sys.executable, PACKAGING / "release.py", "--publishable"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **named})

    assert (done.returncode, done.stdout) == (1, "")
    assert "EDGELSTM_HOMEPAGE and EDGELSTM_CONTACT" in done.stderr


def test_a_home_and_a_contact_are_named_in_one_place():
    named = {"EDGELSTM_HOMEPAGE": "https://example.org/a/b", "EDGELSTM_CONTACT": "a@example.org"}
    command = [sys.executable, PACKAGING / "release.py", "--publishable"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **named})
    texts = [path for folder in ("docs", ".github") for path in (PACKAGING.parents[1] / folder).rglob("*")]
    places = {
        path.name
        for path in texts
        if path.is_file() and path.suffix != ".pyc" and re.search(rb"\bOWNER\b|edgelstm\.invalid", path.read_bytes())
    }

    assert done.returncode == 0, done.stderr
    assert places == {"release.py"}


@pytest.mark.parametrize("language", languages())
def test_every_option_is_explained_in_every_language(addon, config, language):
    text = TRANSLATION(yaml.safe_load((addon / "translations" / f"{language}.yaml").read_text(encoding="utf-8")))

    assert set(text["configuration"]) == set(config["schema"])
    assert all(f"`{name}`" in (addon / "DOCS.md").read_text() for name in config["schema"]["streams"][0])


def test_pictures_have_the_sizes_of_the_store(addon):
    sizes = {
        name: tuple(int.from_bytes((addon / f"{name}.png").read_bytes()[at : at + 4], "big") for at in (16, 20))
        for name in ("icon", "logo")
    }

    assert sizes == {"icon": (128, 128), "logo": (250, 100)}


def test_ports_agree(config):
    dockerfile = (PACKAGING / "container" / "Dockerfile").read_text()

    assert config["ingress_port"] == home_assistant.PORT
    assert {int(port) for port in re.findall(r"(?:EXPOSE |0\.0\.0\.0:|127\.0\.0\.1:)(\d+)", dockerfile)} == {
        home_assistant.PORT
    }


def test_requirements_are_judged_for_the_device(tmp_path):
    wheel = tmp_path / "pump-1.0-py3-none-any.whl"
    lines = [
        "Metadata-Version: 2.1",
        "Name: pump",
        "Version: 1.0",
        "Requires-Dist: litert; platform_machine != 'armv7l'",
        "Requires-Dist: tflite; platform_machine == 'armv7l' and python_version < '3.12'",
        "Requires-Dist: paho; extra == 'mqtt'",
        "Requires-Dist: tensorflow; extra == 'train'",
        "",
    ]
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("pump-1.0.dist-info/METADATA", "\n".join(lines))
    wheels, deb = script("wheels"), script("build_deb")
    names = {
        arch: [item.name for item in wheels["requirements"](wheel, ("mqtt",), deb["Package"](arch, "bookworm").target)]
        for arch in ("arm64", "armhf", "amd64")
    }

    assert names == {"arm64": ["litert", "paho"], "armhf": ["tflite", "paho"], "amd64": ["litert", "paho"]}


@pytest.mark.parametrize(
    ("version", "debian"),
    [("1.2.3", "1.2.3+deb12"), ("2.0.0rc1", "2.0.0~rc1+deb12"), ("2.0.0.dev3", "2.0.0~dev3+deb12")],
)
def test_a_pre_release_sorts_before_its_release(version, debian):
    release = script("release")
    release["debian_version"].__globals__["VERSION"] = version

    assert release["debian_version"](12) == debian
