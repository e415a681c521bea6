"""What ends calls that evaluate without a job."""

from __future__ import annotations

import threading
from typing import Any, Callable

from . import _abi
from ._library import Handle, check, failure, library

#: How long a wait is before Python sees whether it was interrupted.
_MOMENT = 0.02


class Cancel:
    """Ends the calls that it is handed to, from another thread, with Cancelled; those that it is handed to afterwards
    as well.
    """

    def __init__(self) -> None:
        self._handle = Handle("diffuse_cancel_free", lambda place: int(library.diffuse_cancel_new(place)))

    def cancel(self) -> None:
        """Cancels. It cannot be taken back."""
        check(library.diffuse_cancel_cancel(self._handle.pointer))


def interruptible(call: Callable[[Any], int], cancel: Cancel | None) -> None:
    """Makes a call of the library's that takes `cancel`. Ctrl-C is heard meanwhile, and ends it. `call` holds on to all
    that it uses.
    """
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
        # It may come before the thread does, which then ends by itself.
        own.cancel()
        if begun.is_set():
            ended.wait()
        raise
    if errors:
        raise errors[0]
