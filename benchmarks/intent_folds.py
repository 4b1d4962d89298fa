"""Choosing an intent classifier without its test: `python benchmarks/intent_folds.py [--seeds 1]`.

Each fold holds a quarter of the grammar's patterns back, and a third of each slot's words, from which three in five of its
phrasings are drawn: new phrasings with new words, as in the test, which is not read. Prints a line of JSON a fold.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import replace
from statistics import mean

from edgelstm.calibration_data.intents import PER_INTENT, draw, read_grammar

from edgelstm.classification.baseline import fit_baseline
from edgelstm.classification.data import Texts
from edgelstm.tensorflow import load_tensorflow

FOLDS, HELD_WORDS, NEW_WORDS, PER_PATTERN, TRIES = 4, 0.35, 0.6, 3, 30
Slots = dict[str, list[str]]


def fold(number: int) -> tuple[Texts, Texts]:
    """Training and held-back phrasings of one fold."""
    slots, patterns = read_grammar()
    choose = random.Random(11_000 + number)
    seen, new = _parted(slots, choose)
    train: dict[str, str] = {}
    held: dict[str, str] = {}
    for intent, lines in patterns.items():
        order = list(range(len(lines)))
        random.Random(11 + len(intent)).shuffle(order)
        back = sorted(order[number::FOLDS])
        kept = [line for place, line in enumerate(lines) if place not in back]
        _fill(train, intent, kept, seen, choose)
        for place in back:
            _fill_held(held, train, intent, lines[place], (new, slots), choose)
    return Texts(tuple(train), tuple(train.values())), Texts(tuple(held), tuple(held.values()))


def _parted(slots: Slots, choose: random.Random) -> tuple[Slots, Slots]:
    """Words of each slot for training, and those held back."""
    seen, new = {}, {}
    for name, words in slots.items():
        order = list(words)
        choose.shuffle(order)
        cut = max(1, int(len(order) * HELD_WORDS))
        new[name], seen[name] = order[:cut], order[cut:]
    return seen, new


def _fill(into: dict[str, str], intent: str, lines: list[str], slots: Slots, choose: random.Random) -> None:
    """Draw an intent's training phrasings, patterns in turn."""
    full = len(into) + PER_INTENT
    for turn in range(50 * PER_INTENT):
        if len(into) < full:
            into.setdefault(draw(lines[turn % len(lines)], slots, choose), intent)


def _fill_held(
    into: dict[str, str],
    train: dict[str, str],
    intent: str,
    line: str,
    words: tuple[Slots, Slots],
    choose: random.Random,
) -> None:
    """Draw a held-back pattern's phrasings, most of them from the held-back words."""
    full, (new, every) = len(into) + PER_PATTERN, words
    for _ in range(TRIES):
        text = draw(line, new if choose.random() < NEW_WORDS else every, choose)
        if text not in train:
            into.setdefault(text, intent)
        if len(into) == full:
            return


def accuracy(train: Texts, held: Texts, seed: int) -> float:
    """Of the Keras model on a fold's held-back phrasings."""
    from edgelstm.runtime.classification.tokenizer import Vocabulary, encode_all

    from edgelstm.classification.evaluate import Examples
    from edgelstm.classification.train import Options, train_texts

    made = train_texts(train, replace(Options(), seed=seed))
    vocabulary = Vocabulary.of(made.metadata.sections["vocabulary"])
    labels = tuple(made.metadata.sections["classifier"]["labels"])
    inputs = encode_all(vocabulary, held.texts)
    known = tuple(map(vocabulary.known, held.texts))
    said = Examples(inputs, held.labels, known, labels).answers(made.model.predict(inputs, verbose=0))
    return mean(answer == truth for answer, truth in zip(said, held.labels, strict=True))


def main() -> None:
    """Measure the classifier and the baselines on every fold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    seeds = parser.parse_args().seeds
    load_tensorflow()
    for number in range(FOLDS):
        train, held = fold(number)
        found = {"fold": number, "phrasings": len(held.texts)}
        found["edgelstm"] = mean(accuracy(train, held, seed) for seed in range(seeds))
        for kind in ("words", "characters"):
            found[kind] = float(fit_baseline(train, kind).score(held.texts, held.labels))
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
