"""Draws intents_train.csv from the patterns in intents_grammar.txt; intents_test.csv is written by hand.

Run `python -m edgelstm.calibration_data.intents FOLDER` to write the training file again, byte for byte.
"""

import csv
import io
import random
import re
import sys
from pathlib import Path

from . import read_text

GRAMMAR, TRAIN, TEST = "intents_grammar.txt", "intents_train.csv", "intents_test.csv"
PER_INTENT = 240
SEED = 7
_CHOICE = re.compile(r"\(([^()]*)\)")
_SLOT = re.compile(r"\{(\w+)\}")


def read_grammar() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Slots and the patterns of each intent."""
    slots: dict[str, list[str]] = {}
    patterns: dict[str, list[str]] = {}
    intent = ""
    for line in read_text(GRAMMAR).splitlines():
        if line.startswith("["):
            intent = line.strip("[]")
            patterns[intent] = []
        elif line.startswith("{") and not intent:
            name, _, choices = line.partition(" ")
            slots[name.strip("{}")] = choices.split("|")
        elif line.strip() and not line.startswith("#"):
            patterns[intent].append(line)
    return slots, patterns


def draw(pattern: str, slots: dict[str, list[str]], choose: random.Random) -> str:
    """One phrase of a pattern.

    Args:
        pattern: Text with choices in parentheses and slots in braces.
        slots: Values of each slot.
        choose: Random generator.

    >>> draw("(dim|dim) the {lamp}  please", {"lamp": ["light"]}, random.Random(0))
    'dim the light please'
    """
    text = pattern
    while _CHOICE.search(text):
        text = _CHOICE.sub(lambda match: choose.choice(match[1].split("|")), text, count=1)
    while _SLOT.search(text):
        text = _SLOT.sub(lambda match: choose.choice(slots[match[1]]), text, count=1)
    return " ".join(text.split()).replace(" ,", ",").strip(", ")


def phrases(per_intent: int = PER_INTENT, seed: int = SEED) -> list[tuple[str, str]]:
    """Draw (text, intent) pairs: patterns in turn, so that each is drawn about as often, no phrase twice, none of the test.

    Args:
        per_intent: Phrases of each intent.
        seed: Seed of the draw.
    """
    slots, patterns = read_grammar()
    choose = random.Random(seed)
    held = {row["text"] for row in csv.DictReader(io.StringIO(read_text(TEST)))}
    drawn: dict[str, str] = {}
    for intent, lines in patterns.items():
        done = 0
        for turn in range(50 * per_intent):
            text = draw(lines[turn % len(lines)], slots, choose)
            if text not in drawn and text not in held:
                drawn[text] = intent
                done += 1
            if done == per_intent:
                break
    return list(drawn.items())


def content(name: str) -> str:
    """Content of intents_train.csv or intents_test.csv."""
    if name != TRAIN:
        return read_text(name)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["text", "intent"])
    writer.writerows(phrases())
    return file.getvalue()


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else ".", TRAIN).write_bytes(content(TRAIN).encode())
