"""Recurrent sensor models on small computers: train, convert to int8 TFLite, detect anomalies.

Importing this package loads nothing heavy; `edgelstm.runtime` needs NumPy and a TFLite interpreter,
`edgelstm.converters` and the trainer need the `train` extra.
"""

from edgelstm.runtime.version import __version__

__all__ = ["__version__"]
