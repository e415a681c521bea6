"""Jobs: runs, one estimate at a time."""

from __future__ import annotations

import ctypes
import enum
from typing import TYPE_CHECKING, Any, Callable, Iterator, NamedTuple

import numpy as np
import numpy.typing as npt

from . import _abi
from ._errors import CLASSES, ArgumentError, DiffuseError
from ._library import Floats, Handle, check, failure, floats, library, pointer, shape_of, whole
from ._request import Request, _Native

if TYPE_CHECKING:
    from ._model import Model

#: tqdm, or anything that is called as progress(total=…, initial=…) and then has update(count) and close().
Progressive = Callable[..., Any]

#: How long a wait takes before Python looks for an interrupt, in milliseconds.
_MOMENT_MS = 20


class State(enum.IntEnum):
    """The state of a job's worker."""

    IDLE = _abi.JOB_IDLE
    RUNNING = _abi.JOB_RUNNING
    FINISHED = _abi.JOB_FINISHED
    STOPPED = _abi.JOB_STOPPED
    PAUSED = _abi.JOB_PAUSED


class Progress(NamedTuple):
    """How many steps are done, and how many there are in all."""

    step: int
    steps: int


class Stage(enum.IntEnum):
    """The stages of a job."""

    LOADING = _abi.STAGE_LOADING
    ENCODING = _abi.STAGE_ENCODING
    SAMPLING = _abi.STAGE_SAMPLING
    DECODING = _abi.STAGE_DECODING


class StageProgress(NamedTuple):
    """How many pieces of a stage's work are done, and how many there are. In sampling these are the steps."""

    stage: Stage
    done: int
    total: int


class Job:
    """A run of a request. Iterating over it makes its steps, and gives the progress after each step of sampling. A
    pipeline encodes before these steps and decodes after them. len() is the number of steps that are left, so that
    `for _ in tqdm(job)` has a bar.

    One thread at a time may work on it, and another one gets BusyError. Any thread may read its state, progress and
    preview, or cancel it.
    """

    def __init__(self, model: Model, request: Request) -> None:
        native = _Native(request, model)
        own, asked = model._handle.pointer, native.handle.pointer
        # What its callbacks use has to outlive it.
        self._called = native.called + ([model._network] if model._network is not None else [])
        self._handle = Handle("diffuse_job_free", lambda place: int(library.diffuse_job_new(own, asked, place)))
        # As an attribute of the handle they are still there when it is freed, and a function that refers to its job is
        # no leak.
        self._handle.called = self._called  # type: ignore[attr-defined]

    def _check(self, status: int) -> None:
        if status == _abi.OK:
            return
        error = failure(status)
        if status == _abi.CALLBACK:
            raised = next(filter(None, (called.cause(str(error)) for called in self._called)), None)
            if raised is not None and not isinstance(raised, Exception):
                # KeyboardInterrupt and its kin go on as they are.
                raise raised
            raise error from raised
        raise error

    def step(self) -> bool:
        """Makes one step. True with the last one."""
        finished = ctypes.c_int32()
        self._check(library.diffuse_job_step(self._handle.pointer, ctypes.byref(finished)))
        return finished.value != 0

    def advance(self, seconds: float) -> bool:
        """Makes as many steps as are expected to fit into the time. True with the last one.

        It makes none if none fits. Give it max(seconds, job.expected or 0) to go on in any case.
        """
        finished = ctypes.c_int32()
        microseconds = _time(seconds, 1e6)
        self._check(library.diffuse_job_advance(self._handle.pointer, microseconds, ctypes.byref(finished)))
        return finished.value != 0

    @property
    def expected(self) -> float | None:
        """How many seconds the next step is expected to take. advance() with that time makes a step. None before the
        first step.
        """
        microseconds = ctypes.c_uint64()
        check(library.diffuse_job_expected(self._handle.pointer, ctypes.byref(microseconds)))
        return microseconds.value / 1e6 if microseconds.value else None

    @property
    def estimates(self) -> int:
        """How many estimates there were. It grows when preview() has a new one."""
        count = ctypes.c_uint64()
        check(library.diffuse_job_estimates(self._handle.pointer, ctypes.byref(count)))
        return count.value

    @property
    def stage(self) -> StageProgress:
        """The stage that it is in, and how much of that is done."""
        stage, done, total = ctypes.c_int32(), ctypes.c_size_t(), ctypes.c_size_t()
        place = ctypes.byref(stage), ctypes.byref(done), ctypes.byref(total)
        check(library.diffuse_job_stage(self._handle.pointer, *place))
        return StageProgress(Stage(stage.value), done.value, total.value)

    def run(self, progress: Progressive | None = None) -> Job:
        """Makes all steps on a worker. Ctrl-C cancels the job. `progress` is as in Model.draw()."""
        before = self.progress
        if progress is not None and not callable(progress):
            raise ArgumentError(f"progress: {progress!r}; expected tqdm or its like")
        self.start()
        bar = None
        done = before.step
        try:
            bar = None if progress is None else progress(total=before.steps, initial=before.step)
            while True:
                state = self.wait(_MOMENT_MS / 1e3)
                if bar is not None and self.progress.step > done:
                    done, before = self.progress.step, Progress(done, before.steps)
                    bar.update(done - before.step)
                if state != State.RUNNING:
                    return self
        except BaseException:
            if self.state == State.RUNNING:
                self.cancel()
            raise
        finally:
            if bar is not None:
                bar.close()

    def __iter__(self) -> Iterator[Progress]:
        while self.state != State.FINISHED:
            stage = self.stage.stage
            self.step()
            # A pipeline opens its network in that stage, before its first step.
            if stage == Stage.SAMPLING and self.progress.step:
                yield self.progress

    def __len__(self) -> int:
        return self.progress.steps - self.progress.step

    def start(self, seconds: float | None = None) -> None:
        """Runs it on a thread of its own: to the end, or for the steps that are expected to fit into the time."""
        if seconds is None:
            self._check(library.diffuse_job_start(self._handle.pointer))
        else:
            self._check(library.diffuse_job_start_for(self._handle.pointer, _time(seconds, 1e6)))

    def pause(self) -> None:
        """Lets the worker end after its step."""
        check(library.diffuse_job_pause(self._handle.pointer))

    def cancel(self) -> None:
        """Ends the running step and every later one with Cancelled. It cannot be taken back."""
        check(library.diffuse_job_cancel(self._handle.pointer))

    @property
    def state(self) -> State:
        """The state of the worker."""
        state = ctypes.c_int32()
        check(library.diffuse_job_poll(self._handle.pointer, ctypes.byref(state)))
        return State(state.value)

    def wait(self, seconds: float | None = None) -> State:
        """Waits until the worker has ended, or until the time is over. It raises what the run failed with."""
        state = ctypes.c_int32()
        left = None if seconds is None else _time(seconds, 1e3)
        while True:
            # In short waits, so that Ctrl-C ends it.
            moment = _MOMENT_MS if left is None else min(left, _MOMENT_MS)
            self._check(library.diffuse_job_wait(self._handle.pointer, moment, ctypes.byref(state)))
            left = None if left is None else left - moment
            if state.value != State.RUNNING or left == 0:
                return State(state.value)

    @property
    def progress(self) -> Progress:
        """How many steps of sampling are done, and how many there are."""
        step, steps = ctypes.c_size_t(), ctypes.c_size_t()
        check(library.diffuse_job_progress(self._handle.pointer, ctypes.byref(step), ctypes.byref(steps)))
        return Progress(step.value, steps.value)

    @property
    def error(self) -> DiffuseError | None:
        """The error of the latest step that failed, on any thread. None if none has failed."""
        status, message = ctypes.c_int32(), ctypes.create_string_buffer(4096)
        check(library.diffuse_job_error(self._handle.pointer, ctypes.byref(status), message, len(message)))
        if status.value == _abi.OK:
            return None
        return CLASSES.get(status.value, DiffuseError)(message.value.decode(errors="replace"))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the samples, batch first."""
        return shape_of(library.diffuse_job_shape, self._handle)

    def start_from(self, x: npt.ArrayLike) -> None:
        """Starts from the noisy samples `x` instead of noise, before the first step: the job's shape, or one list."""
        given = floats(x)
        if given.ndim > 1 and given.shape != self.shape:
            raise ArgumentError(f"x: an array of shape {given.shape}; expected {self.shape}")
        check(library.diffuse_job_start_from(self._handle.pointer, pointer(given), given.size))

    def read(self) -> Floats:
        """The samples as they are now: noisy before the end, the result after it."""
        return self._values(library.diffuse_job_read)

    def latents(self) -> Floats:
        """The latents of a pipeline, as one list of values. Its pictures are made of them."""
        needed = ctypes.c_size_t()
        check(library.diffuse_job_latents(self._handle.pointer, None, 0, ctypes.byref(needed)))
        values = np.empty(needed.value, dtype=np.float32)
        check(library.diffuse_job_latents(self._handle.pointer, pointer(values), values.size, ctypes.byref(needed)))
        return values

    def preview(self) -> Floats:
        """The latest estimate of the clean samples, also while a step is running."""
        return self._values(library.diffuse_job_preview)

    def _values(self, read: Any) -> Floats:
        values = np.empty(self.shape, dtype=np.float32)
        check(read(self._handle.pointer, pointer(values), values.size))
        return values

    def pixels(self, item: int = 0) -> npt.NDArray[np.uint8]:
        """An item of the samples as RGBA, [height, width, 4]. For images."""
        return self._pixels(library.diffuse_job_read_pixels, item)

    def preview_pixels(self, item: int = 0) -> npt.NDArray[np.uint8]:
        """An item of the latest estimate as RGBA."""
        return self._pixels(library.diffuse_job_preview_pixels, item)

    def _pixels(self, read: Any, item: int) -> npt.NDArray[np.uint8]:
        shape = self.shape
        if len(shape) != 4:
            raise ArgumentError(f"job: items of shape {shape[1:]} are no images; read their values")
        pixels = np.empty((shape[2], shape[3], 4), dtype=np.uint8)
        data = pixels.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        check(read(self._handle.pointer, whole(item, "item"), data, pixels.size, 4 * shape[3], 0))
        return pixels

    def snapshot(self) -> bytes:
        """The job between two steps as bytes, for restore(), also in another process."""
        length = ctypes.c_size_t()
        check(library.diffuse_job_snapshot(self._handle.pointer, None, 0, ctypes.byref(length)))
        content = (ctypes.c_uint8 * length.value)()
        check(library.diffuse_job_snapshot(self._handle.pointer, content, length.value, ctypes.byref(length)))
        return bytes(content)

    def restore(self, snapshot: bytes) -> None:
        """Continues from a snapshot of a job with the same model, shape, solver, steps, grid and kind of noise."""
        content = (ctypes.c_uint8 * len(snapshot)).from_buffer_copy(snapshot)
        check(library.diffuse_job_restore(self._handle.pointer, content, len(snapshot)))

    def __repr__(self) -> str:
        return f"Job({self.progress.step} of {self.progress.steps} steps, {self.state.name.lower()})"


def _time(seconds: float, units: float) -> int:
    try:
        count = float(seconds) * units
    except (TypeError, ValueError):
        count = -1
    if not 0 <= count < 2**63:
        raise ArgumentError(f"seconds: {seconds!r}; expected a number from 0 up")
    return round(count)
