"""Version of edgelstm and its day, the one place where they are written."""

__version__ = "0.1.0"
RELEASED = "2026-11-24"
"""Day of the release, or shortly before: a device whose clock shows an earlier one knows that it is wrong. It is raised with the version;
`tests/slim/test_house.py` and the release workflow insist on that."""
