"""Refusal of a scheme whose error is above the limits, with a way out that was tried on this very model."""

from collections.abc import Sequence

from .job import Job
from .validation.limits import INT8_LIMIT, Validation
from .validator import Candidate

CLIPPED = 0.001  # of the held-back input values: more beyond the range is worth a word


def refusal(candidate: Candidate, alternatives: Sequence[Candidate], job: Job) -> str:
    """Two sentences: the figures with their limit, and the ways out that would work.

    Args:
        candidate: The refused model.
        alternatives: Models of other schemes that keep the limits.
        job: Their task.
    """
    validation = candidate.validation
    ways = []
    if validation.clipped > CLIPPED:
        ways.append("give representative windows that cover all operating states")
    if alternatives:
        named = " or ".join(f"--scheme {other.validation.scheme} ({other.worst:.2%})" for other in alternatives)
        ways.append(f"use {named}, which keeps them" if job.target != "micro" else f"use {named} with --target micro")
    ways.append("accept it with --allow-drop")
    advice = ", or ".join(ways)
    return f"Scheme {validation.scheme} differs from float by {_figures(validation)}. {advice[0].upper()}{advice[1:]}."


def _figures(validation: Validation) -> str:
    whole = f"{validation.error:.1%} of the output's deviation (RMS)"
    if validation.error > INT8_LIMIT:
        return f"{whole}; the limit is {INT8_LIMIT:.0%}"
    return (
        f"{whole}, but by {validation.channel_error:.0%} of its own deviation in output channel {validation.channel}; "
        f"the limit of {INT8_LIMIT:.0%} holds for each output and channel"
    )
