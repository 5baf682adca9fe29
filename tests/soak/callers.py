"""Callers: each does one deed of its plan after the other, and judges how it was answered.

Any state may refuse any verb, by a reason that says so; what kills moored or containerd may cut
any call short. What nobody expects is an answer without a reason, and none at all.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import grpc
import grpc.aio

from moorage.v1 import container_pb2
from tests.real.wire import refusal
from tests.soak.asking import Requests

if TYPE_CHECKING:
    from tests.real.wire import Refusal, Wire
    from tests.soak.journal import Journal
    from tests.soak.plan import Deed
    from tests.soak.population import Population

ANSWERED_WITHIN: Final = 90.0
"""More than all of a verb's own limits, and a restart of moored on top."""
_LISTENS_FOR: Final = 0.5
"""Seconds that somebody stays who follows something without an end."""
_CUT: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
_FOLLOWS: Final = {"watch", "stats", "attach"}
REASONS: Final = {
    *("CONTAINER_NOT_FOUND", "CONTAINER_NOT_RUNNING", "CONTAINER_PAUSED", "CONTAINER_REMOVING"),
    *("CONTAINER_RUNNING", "CONTAINER_STOPPING", "CONTAINER_STRANDED", "NAME_TAKEN"),
    *("PREEMPTED_BY_CLEANUP", "RUN_NOT_FOUND", "EXEC_ENDED", "VOLUME_NOT_FOUND", "VOLUME_IN_USE"),
    *("RUNTIME_UNREACHABLE", "RUNTIME_REFUSED", "SHUTTING_DOWN", "INTERRUPTED", "STEP_TIMED_OUT"),
    *("STOP_UNFINISHED", "START_QUEUE_FULL", "WATCHER_TOO_SLOW"),
}
"""Why something may be refused here."""


@dataclass(frozen=True)
class Caller:
    number: int
    wire: Wire
    population: Population
    journal: Journal

    async def do(self, deed: Deed) -> None:
        """Do one thing, and note what came of it."""
        try:
            outcome = await self._answered(deed)
        except grpc.aio.AioRpcError as error:
            outcome = self._judged(deed, refusal(error))
        self.journal.note(f"caller {self.number}", f"{deed.verb} {deed}", outcome)

    async def _answered(self, deed: Deed) -> str:
        """Do it, with its caller's patience."""
        within = deed.patience if deed.leaves == "deadline" else ANSWERED_WITHIN
        lost = deed.patience if deed.leaves == "cancel" else None
        if deed.verb in _FOLLOWS:
            lost = min(lost or _LISTENS_FOR, _LISTENS_FOR)
        try:
            async with asyncio.timeout(lost):
                await self._call(deed, within)
        except TimeoutError:
            return "left"
        return "answered"

    async def _call(self, deed: Deed, within: float) -> None:
        stub, request = Requests(self.wire, self.population).of(deed)
        if deed.verb == "attach":
            call = stub(iter([request]), timeout=within, wait_for_ready=True)
        else:
            call = stub(request, timeout=within, wait_for_ready=True)
        if isinstance(call, grpc.aio.UnaryUnaryCall):
            self._check(deed, await call)
            return
        try:
            async for _ in call:
                pass
        finally:
            call.cancel()

    def _check(self, deed: Deed, answer: Any) -> None:
        if deed.verb == "exec" and answer.exec.exit.origin == container_pb2.EXIT_ORIGIN_PROCESS:
            told = (answer.exec.exit.code, answer.stdout)
            if told != (deed.number % 100, f"{deed.number}\n".encode()):
                self.journal.complain(f"{deed} ended with {told}")

    def _judged(self, deed: Deed, refused: Refusal) -> str:
        said = f"{refused.code.name} {refused.reason}".strip()
        if refused.reason in REASONS or (not refused.reason and refused.code in _CUT):
            return said
        if refused.code is grpc.StatusCode.DEADLINE_EXCEEDED and deed.leaves == "deadline":
            return said
        self.journal.complain(f"{deed} was answered {refused}")
        return said
