"""From text to pieces."""

import json

import numpy as np
import pytest
from edgelstm.runtime.classification.tokenizer import (
    FIRST_WORD,
    PAD,
    UNKNOWN,
    Vocabulary,
    character_grams,
    encode_all,
    fit_vocabulary,
    split_words,
)
from edgelstm.runtime.errors import ModelError

TEXTS = ["turn on the light", "turn off the light", "Turn on the pump", "stop the pump"]


@pytest.fixture
def vocabulary():
    return fit_vocabulary(TEXTS, buckets=64, length=5, pieces=6)


def test_padding_stands_in_front_so_that_the_last_step_is_the_last_word(vocabulary):
    rows = vocabulary.encode("stop pump")

    assert (rows[:3] == PAD).all()
    assert rows[-1, 0] == vocabulary.index["pump"]


def test_a_longer_text_keeps_its_last_words(vocabulary):
    long, short = (
        vocabulary.encode(text) for text in ("please please please turn on the light now", "turn on the light now")
    )

    np.testing.assert_array_equal(long, short)


def test_an_unseen_word_is_unknown_but_shares_pieces_with_its_kin(vocabulary):
    unseen, kin = vocabulary.encode("lights")[-1], vocabulary.encode("light")[-1]

    assert unseen[0] == UNKNOWN
    assert len(set(unseen[1:]) & set(kin[1:])) >= 3


def test_every_piece_is_a_row_of_the_embedding(vocabulary):
    texts = [*TEXTS, "", "свет", "電気をつけて", "🔥", "a" * 500]
    tokens = encode_all(vocabulary, texts)

    assert tokens.dtype == np.int32
    assert tokens.shape == (len(texts), 5, 6)
    assert 0 <= tokens.min() <= tokens.max() < vocabulary.size


def test_case_width_and_apostrophes_make_no_difference(vocabulary):
    assert split_words("It\u2019s ON!") == split_words("it's on")
    np.testing.assert_array_equal(
        vocabulary.encode("Ｔｕｒｎ ＯＮ, the light…"),
        vocabulary.encode("turn on the light"),
    )


@pytest.mark.parametrize("text", ["", "   ", "?!…", "🔥🔥"])
def test_a_text_without_a_word_is_all_padding(vocabulary, text):
    assert (vocabulary.encode(text) == PAD).all()
    assert not vocabulary.known(text)


def test_a_text_in_another_script_has_no_known_word(vocabulary):
    assert not vocabulary.known("включи свет")
    assert vocabulary.known("включи light")


def test_words_that_occur_once_are_left_to_their_n_grams():
    vocabulary = fit_vocabulary(TEXTS)

    assert "stop" not in vocabulary.words
    assert vocabulary.words[0] == "the"
    assert vocabulary.index["the"] == FIRST_WORD


def test_a_vocabulary_comes_back_from_json(vocabulary):
    again = Vocabulary.of(json.loads(json.dumps(vocabulary.record())))

    assert again == vocabulary
    np.testing.assert_array_equal(again.encode("turn on"), vocabulary.encode("turn on"))


@pytest.mark.parametrize("damage", [{"words": None}, {"buckets": "many"}, {"grams": [3]}])
def test_a_damaged_vocabulary_is_refused(vocabulary, damage):
    with pytest.raises(ModelError, match="vocabulary is damaged"):
        Vocabulary.of({**vocabulary.record(), **damage})


def test_hashes_are_the_same_on_every_machine():
    """Python's own hash() is seeded anew in each process; a device would then see other pieces than training."""
    vocabulary = Vocabulary(("on",), 100, 1, 3)

    assert vocabulary.encode("off").tolist() == [[UNKNOWN, 58, 34]]


def test_n_grams_mark_the_ends_of_a_word():
    assert character_grams("on", 3, 3) == ["<on", "on>"]
