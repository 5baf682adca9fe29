"""Names whose making containerd never answered: they may come to be after they were looked for.

Law: such a name is gone once it was found, or once it was absent twice, the second time at
least a call's limit after the first. Until then its removal fails, so that it stays on record
and is looked at again. A connection that broke leaves no doubt: containerd drops its calls.
Doubts are not written down: the next moored doubts what is on record (``keepers/late.py``).
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from moored import errors

if TYPE_CHECKING:
    from collections.abc import Iterator


PROMPT: Final = 1.0
"""Seconds in which a containerd answers that has not been silent before."""


class Doubts:
    def __init__(self, grace: float) -> None:
        """``grace``: seconds between the two looks that have to find nothing."""
        self._grace = grace
        self._absent_since: dict[str, float | None] = {}

    @contextmanager
    def making(self, name: str) -> Iterator[None]:
        """Doubt ``name`` if what makes it within gets no answer; any answer ends a doubt."""
        try:
            yield
        except errors.RuntimeUnreachable as error:
            if _unanswered(error):
                self.doubt(name)
            raise
        except asyncio.CancelledError:
            self.doubt(name)
            raise
        except errors.MooredError:
            self.settle(name)
            raise
        self.settle(name)

    def doubt(self, name: str) -> None:
        """``name`` may still come to be."""
        self._absent_since[name] = None

    def settle(self, name: str) -> None:
        """``name`` was found: nothing more is to come."""
        self._absent_since.pop(name, None)

    def absent(self, name: str, to: str) -> None:
        """``name`` was not found, for the purpose ``to``: refuse while it may still come."""
        if name not in self._absent_since:
            return
        now = asyncio.get_running_loop().time()
        since = self._absent_since[name]
        if since is not None and now - since >= self._grace:
            del self._absent_since[name]
            return
        self._absent_since[name] = now if since is None else since
        raise errors.RuntimeUnreachable(
            f"cannot {to}: containerd has not answered its making, which may still happen"
        )


def _unanswered(error: errors.RuntimeUnreachable) -> bool:
    cause = error.__cause__
    return isinstance(cause, grpc.aio.AioRpcError) and cause.code() in (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
    )
