"""Every error that edgelstm raises on purpose, in one small tree."""


class EdgelstmError(Exception):
    """Root of the tree; the command line prints it as one line and exits with code 1.

    The message states the rule, what came instead, and what to do about it.
    """


class ShapeError(EdgelstmError):
    """An array has another shape than the model or the function needs."""


class SeriesError(EdgelstmError):
    """A sensor series cannot be read or used (missing file, text in a number column, too few rows)."""


class ModelError(EdgelstmError):
    """A model file cannot be used (truncated, foreign, of an unknown schema version)."""


class NoMetadataError(ModelError):
    """A TFLite file carries no edgelstm metadata: another tool made it, or its end is missing."""


class DamagedModelError(ModelError):
    """An installed model is missing or no longer the file that was signed; another update repairs it."""


class InterpreterError(EdgelstmError):
    """No TFLite interpreter is installed, or it cannot run the model."""


class ConversionError(EdgelstmError):
    """A Keras model cannot be converted, or the result is not accurate enough."""


class TrainingError(EdgelstmError, ValueError):
    """A model cannot be trained (too little data, wrong options); a ValueError, as scikit-learn's estimators raise it."""


class ConfigError(EdgelstmError):
    """A configuration or an option is not usable."""


class OutputError(EdgelstmError):
    """A result cannot be written (no permission, disk full, folder missing)."""
