"""Metadata of a student: its teacher's, with everything that depends on the outputs fitted anew on its own."""

from dataclasses import replace
from typing import Any

from edgelstm.runtime.calibration import fit_detector
from edgelstm.runtime.forecasting.features import SECTION as FORECAST
from edgelstm.runtime.model_file.detection_limits import SECTION as LIMITS
from edgelstm.runtime.model_file.metadata import Metadata

from ..deployment.foreign_kind import DETECTORS
from ..deployment.representative_data import Source
from ..evaluation.batched_predict import batched_predict
from ..forecasting.intervals import refit_intervals
from ..training.detection_limits import detection_limits
from .distillation import outputs_of

SHRUNK = "shrunk"  # in the section of the training, which stays out of files for devices


def described(source: Source, student: Any, teacher: Any) -> Metadata:
    """The metadata of a student: score, threshold, detection limits and intervals are its own.

    Args:
        source: The whole model with its representative data.
        student: The narrower model.
        teacher: The whole model.
    """
    shrunk = {"from_parameters": int(teacher.count_params()), "parameters": int(student.count_params())}
    sections = source.metadata.sections
    training = {**sections.get("training", {}), SHRUNK: shrunk}
    metadata, rows = replace(source.metadata, sections={**sections, "training": training}), source.representative
    if rows is None:
        return metadata
    if FORECAST in sections:
        return refit_intervals(metadata, lambda inputs: outputs_of(student, inputs)[0], rows)
    if metadata.kind not in DETECTORS or metadata.scoring is None:
        return metadata
    normal = rows.normal
    metadata = fit_detector(metadata, batched_predict(student, metadata, normal), normal)
    if LIMITS not in sections:
        return metadata
    others = {name: section for name, section in metadata.sections.items() if name != LIMITS}
    limits = detection_limits(student, metadata, normal)
    return metadata.with_(sections=others | ({LIMITS: limits} if limits else {}))
