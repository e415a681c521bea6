"""Diffusion sampling for exported ONNX noise predictors.

>>> import diffuse
>>> model = diffuse.Model("sprites.onnx")  # doctest: +SKIP
>>> samples = model.draw(classes=["heart"], seed=7)  # doctest: +SKIP
"""

from ._cancel import Cancel
from ._errors import (
    ArgumentError,
    BusyError,
    CallbackError,
    Cancelled,
    DiffuseError,
    EvaluationError,
    FileError,
    InternalError,
    ModelError,
    NotYet,
    OutOfMemory,
    ProviderError,
    RuntimeMissing,
)
from ._estimate import Estimate
from ._job import Job, Progress, Stage, StageProgress, State
from ._library import options, version
from ._model import Level, Model
from ._request import Cost, Request
from ._runtime import Runtime

__version__ = version()

__all__ = [
    "ArgumentError",
    "BusyError",
    "CallbackError",
    "Cancel",
    "Cancelled",
    "Cost",
    "DiffuseError",
    "Estimate",
    "EvaluationError",
    "FileError",
    "InternalError",
    "Job",
    "Level",
    "Model",
    "ModelError",
    "NotYet",
    "OutOfMemory",
    "Progress",
    "ProviderError",
    "Request",
    "Runtime",
    "RuntimeMissing",
    "Stage",
    "StageProgress",
    "State",
    "options",
    "version",
]
