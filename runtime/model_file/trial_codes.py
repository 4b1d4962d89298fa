"""Exit code of a worker that refuses a model."""

REFUSED = 3
