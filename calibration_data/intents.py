"""Draws intents_train.csv from the patterns in intents_grammar.txt; intents_test.csv is written by hand.

Run `python -m edgelstm.calibration_data.intents FOLDER` to write the training file again, byte for byte.
"""

from __future__ import annotations

import csv
import random
import re
import sys
from pathlib import Path

GRAMMAR = Path(__file__).with_name("intents_grammar.txt")
TEST = Path(__file__).with_name("intents_test.csv")
PER_INTENT = 240
SEED = 7
_CHOICE = re.compile(r"\(([^()]*)\)")
_SLOT = re.compile(r"\{(\w+)\}")


def read_grammar(path: Path = GRAMMAR) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Slots and the patterns of each intent."""
    slots: dict[str, list[str]] = {}
    patterns: dict[str, list[str]] = {}
    intent = ""
    for line in path.read_text(encoding="utf-8").splitlines():
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

    >>> draw("(dim|dim) the {lamp}  please", {"lamp": ["light"]}, random.Random(0))
    'dim the light please'
    """
    text = pattern
    while _CHOICE.search(text):
        text = _CHOICE.sub(lambda found: choose.choice(found[1].split("|")), text, count=1)
    while _SLOT.search(text):
        text = _SLOT.sub(lambda found: choose.choice(slots[found[1]]), text, count=1)
    return " ".join(text.split()).replace(" ,", ",").strip(", ")


def phrases(per_intent: int = PER_INTENT, seed: int = SEED) -> list[tuple[str, str]]:
    """(text, intent) pairs: patterns in turn, so that each is drawn about as often, no phrase twice, none of the test."""
    slots, patterns = read_grammar()
    choose = random.Random(seed)
    with TEST.open(newline="", encoding="utf-8") as file:
        held = {row["text"] for row in csv.DictReader(file)}
    found: dict[str, str] = {}
    for intent, lines in patterns.items():
        done = 0
        for turn in range(50 * per_intent):
            text = draw(lines[turn % len(lines)], slots, choose)
            if text not in found and text not in held:
                found[text] = intent
                done += 1
            if done == per_intent:
                break
    return list(found.items())


def write(folder: Path) -> None:
    """Write intents_train.csv."""
    with (folder / "intents_train.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["text", "intent"])
        writer.writerows(phrases())


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
