"""Languages: each says all that English says, and a further one is one file."""

import json
import re

import pytest
from edgelstm.runtime.alarms.events import Event
from edgelstm.runtime.alarms.narrator import Narrator
from edgelstm.runtime.languages import catalogue
from edgelstm.runtime.languages.catalogue import ENGLISH, find_catalogue, languages
from edgelstm.runtime.page import FOLDER
from edgelstm.runtime.page import page as page_of

PAGES = sorted(file.stem for file in FOLDER.glob("*.html"))


def texts(value, name=""):
    """All texts of a language's file with their places, by their names."""
    if isinstance(value, dict):
        return {key: text for part in value for key, text in texts(value[part], f"{name}.{part}").items()}
    return {name: sorted(re.findall(r"{(\w+)}", value))}


def content_of(language):
    return json.loads((catalogue.FOLDER / f"{language}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", languages())
def test_every_language_says_what_english_says(language):
    assert texts(content_of(language)) == texts(content_of("en"))


@pytest.mark.parametrize("name", PAGES)
def test_every_word_that_a_page_asks_for_is_there(name):
    html = page_of(name)
    asked = set(re.findall(r'\bsay\("(\w+)"|data-word="(\w+)"|\["(\w+)", (?:short|stream|age)', html))
    asked = {name for names in asked for name in names if name}

    assert len(asked) > 5
    assert asked <= ENGLISH.page.keys()


def test_a_further_language_is_one_file(tmp_path, monkeypatch):
    content = content_of("en")
    content["kinds"]["answer.false"] = "appelée fausse alerte"
    for language, words in (("en", content_of("en")), ("fr", {**content, "since": "depuis {span}"})):
        (tmp_path / f"{language}.json").write_text(json.dumps(words), encoding="utf-8")
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path)
    find_catalogue.cache_clear()
    told = Narrator.of("fr", "UTC").tell(Event("1", "answer", "open", 1.7e9, None, None, (), "false"))
    find_catalogue.cache_clear()

    assert told.text == "depuis 14 Nov, 22:13:20: appelée fausse alerte"
    assert languages() == ("en", "fr")
