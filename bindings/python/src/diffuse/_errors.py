"""What goes wrong, grouped by what can be done about it: a class for each status of diffuse.h."""

from __future__ import annotations

from . import _abi


class DiffuseError(Exception):
    """Something went wrong; the message says what, where, and what to do."""


class ArgumentError(DiffuseError, ValueError):
    """An argument cannot be used: change the call."""


class ModelError(DiffuseError):
    """The model, or its manifest, does not fit: change the model."""


class RuntimeMissing(DiffuseError):
    """ONNX Runtime is missing, too old, or did not start."""


class EvaluationError(DiffuseError):
    """The network failed, or said something that is not a number."""


class FileError(DiffuseError, OSError):
    """A file could not be read. It has the `errno`, `strerror` and `filename` of other OSErrors, as far as the system
    gave them.
    """

    def __str__(self) -> str:
        # An OSError with these would leave the message away.
        return str(self.args[0]) if self.args else ""


class NotYet(DiffuseError):
    """What was asked for is not there yet: go on with the job, and ask again."""


class Cancelled(DiffuseError):
    """The job, or the call, was cancelled."""


class BusyError(DiffuseError):
    """Another thread is working on the job: wait for it."""


class InternalError(DiffuseError):
    """A bug in diffuse: let go of the object involved."""


class ProviderError(DiffuseError):
    """An execution provider that was asked for cannot be used."""


class CallbackError(DiffuseError):
    """Code of the caller's failed, or wrote something that is not a number. What it raised is the cause."""


class OutOfMemory(DiffuseError, MemoryError):
    """The system has no memory for it."""


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
