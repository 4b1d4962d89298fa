"""Networks of the classifiers, built of layers that the int8 converter fuses."""

from dataclasses import dataclass
from typing import Any

from edgelstm.runtime.classification.tokenizer import Vocabulary


@dataclass(frozen=True)
class Network:
    """Shape of a classifier."""

    units: int = 32
    """Units of the LSTM, in each direction."""
    embedding: int = 48
    """Numbers that stand for a piece of a word (texts)."""
    bidirectional: bool = True
    """Read in both directions."""
    dropout: float = 0.5
    """Share of the last layer's inputs dropped while training."""
    piece_dropout: float = 0.5
    """Share of pieces dropped while training (texts)."""
    word_dropout: float = 0.1
    """Share of words dropped while training (texts)."""


def text_classifier(network: Network, vocabulary: Vocabulary, classes: int) -> Any:
    """A Keras model from pieces (L, K) to probabilities (C,).

    There is no mask: the fused LSTM op takes none, and unrolling would cost ten times the size. Padding stands in
    front and has a learned vector instead, and the model is trained on just what it gets on the device. Whole pieces
    are dropped while training, so that a word is known by its n-grams too.

    Args:
        network: Shape of the network.
        vocabulary: Pieces that stand for words.
        classes: Number of classes, C.
    """
    import keras

    length, pieces = vocabulary.length, vocabulary.pieces
    inputs = keras.Input((length, pieces), dtype="int32", name="pieces")
    hidden = keras.layers.Embedding(vocabulary.size, network.embedding, name="embedding")(inputs)
    hidden = keras.layers.Dropout(network.piece_dropout, noise_shape=(None, length, pieces, 1))(hidden)
    words = keras.ops.mean(hidden, axis=2)
    words = keras.layers.Dropout(network.word_dropout, noise_shape=(None, length, 1))(words)
    steps = _lstm(network, sequence=True)(words)
    # order matters to some intents, single words to most: the strongest step, beside the mean of all words
    parts = [keras.layers.GlobalMaxPooling1D()(steps), keras.layers.GlobalAveragePooling1D()(words)]
    return _classes(network, inputs, keras.layers.Concatenate()(parts), classes, "text_classifier")


def window_classifier(network: Network, window: int, channels: int, classes: int) -> Any:
    """A Keras model from scaled samples (W, F) to probabilities (C,).

    Args:
        network: Shape of the network.
        window: Rows a window, W.
        channels: Channels, F.
        classes: Number of classes, C.
    """
    import keras

    inputs = keras.Input((window, channels), name="window")
    return _classes(network, inputs, _lstm(network, sequence=False)(inputs), classes, "window_classifier")


def _lstm(network: Network, sequence: bool) -> Any:
    import keras

    layer = keras.layers.LSTM(network.units, return_sequences=sequence, name="lstm")
    return keras.layers.Bidirectional(layer, name="both") if network.bidirectional else layer


def _classes(network: Network, inputs: Any, hidden: Any, classes: int, name: str) -> Any:
    import keras

    hidden = keras.layers.Dropout(network.dropout)(hidden)
    outputs = keras.layers.Dense(classes, "softmax", name="classes")(hidden)
    return keras.Model(inputs, outputs, name=name)
