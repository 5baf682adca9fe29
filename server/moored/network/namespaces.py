"""Network namespaces without a process, a fork or a mount: made and entered by short threads.

A thread that has left the host's network never comes back to it: it ends. Nothing that it does
may start a process, or a thread whose end is not waited for.
"""

from __future__ import annotations

import ctypes
import os
from concurrent.futures import Future
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_CLONE_NEWNET: Final = 0x40000000
_OWN: Final = "/proc/thread-self/ns/net"
"""Not of ``/proc/self``, which is the main thread."""
_OPEN: Final = os.O_RDONLY | os.O_CLOEXEC


def make(prepare: Callable[[], None] = lambda: None) -> int:
    """Return a descriptor of a new namespace, once ``prepare`` has run in it. Blocks."""
    return _in_thread(partial(_made, prepare))


def within(namespace: int, deed: Callable[[], T]) -> T:
    """Return what ``deed`` gives in the namespace that a descriptor stands for. Blocks."""

    def entered() -> T:
        _call("setns", namespace, _CLONE_NEWNET)
        return deed()

    return _in_thread(entered)


def _made(prepare: Callable[[], None]) -> int:
    _call("unshare", _CLONE_NEWNET)
    prepare()
    return os.open(_OWN, _OPEN)


def _in_thread(deed: Callable[[], T]) -> T:
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(deed())
        except BaseException as error:  # noqa: BLE001  # it is the caller's
            outcome.set_exception(error)

    thread = Thread(target=run, name="netns", daemon=True)
    thread.start()
    thread.join()
    return outcome.result()


def _call(function: str, *arguments: int) -> None:
    """Call a function of the C library's that Python 3.11 does not know."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, function)(*(ctypes.c_int(number) for number in arguments)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")
