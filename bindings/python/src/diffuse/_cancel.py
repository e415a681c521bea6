"""Cancelling calls that evaluate without a job."""

from __future__ import annotations

import threading
from typing import Any, Callable

from . import _abi
from ._library import Handle, check, failure, library

#: How long a wait takes before Python looks for an interrupt, in seconds.
_MOMENT = 0.02


class Cancel:
    """Ends calls from another thread, with Cancelled. It ends the calls that it was handed to, and every later one."""

    def __init__(self) -> None:
        self._handle = Handle("diffuse_cancel_free", lambda place: int(library.diffuse_cancel_new(place)))

    def cancel(self) -> None:
        """Cancels. It cannot be taken back."""
        check(library.diffuse_cancel_cancel(self._handle.pointer))


def interruptible(call: Callable[[Any], int], cancel: Cancel | None) -> None:
    """Makes a call of the library that takes `cancel`. Ctrl-C ends it. `call` has to hold all that it uses."""
    own = cancel if cancel is not None else Cancel()
    if threading.current_thread() is not threading.main_thread():
        # Ctrl-C is the main thread's.
        check(call(own._handle.pointer))
        return
    errors: list[BaseException] = []
    begun, ended = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        try:
            status = call(own._handle.pointer)
            if status != _abi.OK:
                # The message is that thread's.
                errors.append(failure(status))
        except BaseException as error:
            errors.append(error)
        finally:
            ended.set()

    try:
        threading.Thread(target=work, name="diffuse call").start()
        while not ended.wait(_MOMENT):
            pass
    except BaseException:
        # An interrupt may come before the thread has begun, which then ends by itself.
        own.cancel()
        if begun.is_set():
            ended.wait()
        raise
    if errors:
        raise errors[0]
