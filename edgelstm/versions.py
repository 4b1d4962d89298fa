"""Versions of the tools that make a model, for its metadata."""

from importlib import metadata


def tool_versions() -> dict[str, str]:
    """Versions of what made a model."""
    return {name: metadata.version(name) for name in ("edgelstm", "keras", "tensorflow", "numpy")}
