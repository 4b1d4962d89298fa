"""Tokenizer of text classifiers, shared by training and device.

Each word becomes a row of pieces: the word itself, when the vocabulary holds it, and its character n-grams, hashed
(Bojanowski et al. 2017). A word that training never saw still gets a meaning from the pieces that it shares.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ModelError

Tokens = npt.NDArray[np.int32]
PAD, UNKNOWN = 0, 1  # pieces below the words: no word here, and a word that the vocabulary does not hold
FIRST_WORD = 2
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u2018`\u00b4", "'"))


@dataclass(frozen=True)
class Vocabulary:
    """Words and n-grams that a text model knows, stored in the model file."""

    words: tuple[str, ...]
    """Whole words with a vector of their own; the first has piece 2."""
    buckets: int
    """Hash buckets that character n-grams share; their pieces follow the words'."""
    length: int
    """Words of a text that the model sees, the last ones of a longer text, L."""
    pieces: int
    """Pieces of a word, the word itself first, K."""
    grams: tuple[int, int] = (3, 4)
    """Shortest and longest n-gram, in characters."""

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Piece of each word."""
        return {word: FIRST_WORD + place for place, word in enumerate(self.words)}

    @property
    def size(self) -> int:
        """Different pieces: rows of the embedding."""
        return FIRST_WORD + len(self.words) + self.buckets

    def encode(self, text: str) -> Tokens:
        """Encode a text as pieces.

        Args:
            text: Anything; the empty text is all padding.

        Returns:
            Shape (L, K), padded in front, so that the words end where the LSTM's last step is.

        >>> Vocabulary(("light", "on"), 8, 3, 2).encode("Light ON!")[:, 0].tolist()
        [0, 2, 3]
        """
        block = np.full((self.length, self.pieces), PAD, np.int32)
        words = split_words(text)[-self.length :]
        for row, word in enumerate(words, self.length - len(words)):
            tokens = [self.index.get(word, UNKNOWN), *self._hashed(word)][: self.pieces]
            block[row, : len(tokens)] = tokens
        return block

    def known(self, text: str) -> bool:
        """Tell whether the vocabulary holds any of the text's words."""
        return any(word in self.index for word in split_words(text))

    def _hashed(self, word: str) -> list[int]:
        first = FIRST_WORD + len(self.words)
        return [first + zlib.crc32(gram.encode()) % self.buckets for gram in character_grams(word, *self.grams)]

    def record(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Vocabulary:
        """From `record`.

        Raises:
            ModelError: If the record is damaged.
        """
        try:
            low, high = record["grams"]
            return cls(
                tuple(map(str, record["words"])), int(record["buckets"]), int(record["length"]),
                int(record["pieces"]), (int(low), int(high)),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"The model's vocabulary is damaged ({error!r}). Convert the model again.") from error


def split_words(text: str) -> list[str]:
    """The words of a text: compatibility forms and case folded, punctuation left out.

    >>> split_words("It’s 20°, isn't it?")
    ["it's", '20', "isn't", 'it']
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold().translate(_APOSTROPHES))


def character_grams(word: str, low: int, high: int) -> list[str]:
    """Character n-grams of a word between marks of its ends, the shorter ones first, each once.

    Args:
        word: The word.
        low: Shortest n-gram, in characters.
        high: Longest.

    >>> character_grams("on", 3, 4)
    ['<on', 'on>', '<on>']
    """
    marked = f"<{word}>"
    grams = (marked[at : at + size] for size in range(low, high + 1) for at in range(len(marked) - size + 1))
    return list(dict.fromkeys(grams))


def fit_vocabulary(
    texts: Iterable[str], buckets: int = 2048, length: int = 14, pieces: int = 10, least: int = 2
) -> Vocabulary:
    """Take the words of training texts, most frequent first.

    Args:
        texts: Training texts.
        buckets: See `Vocabulary`.
        length: See `Vocabulary`.
        pieces: See `Vocabulary`.
        least: Times that a word has to occur; a rarer one lives by its n-grams, as unseen ones do.
    """
    counts = Counter(word for text in texts for word in split_words(text))
    kept = sorted((word for word, count in counts.items() if count >= least), key=lambda word: (-counts[word], word))
    return Vocabulary(tuple(kept), buckets, length, pieces)


def encode_all(vocabulary: Vocabulary, texts: Sequence[str]) -> Tokens:
    """Encode many texts as pieces, shape (N, L, K).

    Args:
        vocabulary: The vocabulary.
        texts: N texts.
    """
    if not len(texts):
        return np.empty((0, vocabulary.length, vocabulary.pieces), np.int32)
    return np.stack([vocabulary.encode(text) for text in texts])
