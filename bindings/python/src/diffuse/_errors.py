"""The errors, grouped by their remedy: a class for each status of diffuse.h."""

from __future__ import annotations

from . import _abi


class DiffuseError(Exception):
    """The base of all errors. The message names what was wrong, where, and the remedy."""


class ArgumentError(DiffuseError, ValueError):
    """An argument cannot be used. Change the call."""


class ModelError(DiffuseError):
    """The model or its manifest does not fit. Change the model."""


class RuntimeMissing(DiffuseError):
    """ONNX Runtime is missing, too old, or did not start."""


class EvaluationError(DiffuseError):
    """The network failed, or it predicted something that is not a number."""


class FileError(DiffuseError, OSError):
    """A file could not be read. It has `errno`, `strerror` and `filename`, as far as the system gave them."""

    def __str__(self) -> str:
        # With these an OSError would leave the message out.
        return str(self.args[0]) if self.args else ""


class NotYet(DiffuseError):
    """The value is not there yet. Go on with the job, and try again."""


class Cancelled(DiffuseError):
    """The job, or the call, was cancelled."""


class BusyError(DiffuseError):
    """Another thread works on the job. Wait for it."""


class InternalError(DiffuseError):
    """A bug in diffuse. Let go of the object."""


class ProviderError(DiffuseError):
    """An execution provider that was named cannot be used."""


class CallbackError(DiffuseError):
    """The caller's own function failed, or returned something that is not a number. Its exception is the cause."""


class OutOfMemory(DiffuseError, MemoryError):
    """The system has no memory for it. Use fewer items, or free something."""


CLASSES: dict[int, type[DiffuseError]] = {
    _abi.ARGUMENT: ArgumentError,
    _abi.MODEL: ModelError,
    _abi.RUNTIME: RuntimeMissing,
    _abi.EVALUATION: EvaluationError,
    _abi.IO: FileError,
    _abi.CANCELLED: Cancelled,
    _abi.BUSY: BusyError,
    _abi.PANIC: InternalError,
    _abi.PROVIDER: ProviderError,
    _abi.CALLBACK: CallbackError,
    _abi.MEMORY: OutOfMemory,
    _abi.NOT_YET: NotYet,
}
