"""How one call ends: its span, its measure, its line in the log and its answer say the same.

The table is ``docs/endings.md``. A span is an error where the server is at fault, by
OpenTelemetry's convention for RPC, and where the call was cut short; the level of the line follows.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

import grpc
from grpc_status import rpc_status
from loguru import logger
from opentelemetry import propagate
from opentelemetry.trace import SpanKind, Status, StatusCode, format_trace_id

from moored import errors
from moored.api import phrasebook
from moored.api.callers import UNKNOWN
from moored.telemetry.concern import concerning

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

    from moored.api.callers import Caller
    from moored.api.draining import Draining
    from moored.telemetry.measures import Measures

Context = grpc.aio.ServicerContext[Any, Any]

_LEVELS: Final = {
    grpc.StatusCode.UNKNOWN: "ERROR",
    grpc.StatusCode.INTERNAL: "ERROR",
    grpc.StatusCode.DATA_LOSS: "ERROR",
    grpc.StatusCode.DEADLINE_EXCEEDED: "WARNING",
    grpc.StatusCode.UNIMPLEMENTED: "WARNING",
    grpc.StatusCode.UNAVAILABLE: "WARNING",
}
"""The codes that make a server's span an error, and how loud they are in the log."""
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode if code is not grpc.StatusCode.OK}
_QUIET: Final = frozenset({"Inspect", "InspectExec", "List", "ListExecs", "GetServerInfo"})
"""Methods whose success is logged for debugging only: they are asked all the time."""


class Stranger(Exception):
    """The call of a method that is not here."""


class Answering:
    """The span and the outcome of one call, as an asynchronous context."""

    def __init__(
        self,
        name: str,
        context: Context,
        *,
        tracer: Tracer,
        measures: Measures,
        draining: Draining,
        asked: str = "",
    ) -> None:
        """``name`` is SERVICE/METHOD, or _OTHER for what is not ours; ``asked`` what it was."""
        self._name = name
        self.context = context
        self._tracer = tracer
        self._measures = measures
        self._draining = draining
        self._asked = asked
        self.caller = UNKNOWN
        self.container = ""
        """The reference in the request, until its id is known."""
        self._began = perf_counter()

    async def __aenter__(self) -> Self:
        carrier = dict(self.context.invocation_metadata() or ())
        attributes = {"rpc.system.name": "grpc", "rpc.method": self._name}
        if self._asked:
            attributes["rpc.method_original"] = self._asked
        self._scope = self._tracer.start_as_current_span(
            self._name,
            context=propagate.extract(carrier),
            kind=SpanKind.SERVER,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        )
        self._span: Span = self._scope.__enter__()
        self._about = concerning()
        self._concern = self._about.__enter__()
        return self

    def know(self, caller: Caller) -> None:
        """Let the log and the trace say who called."""
        self.caller = caller
        self._span.set_attributes(caller.attributes)

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._draining.leave()
        try:
            if told := self._told():
                self._end(told, told.name, self.context.details() or "")
            elif error is None:
                self._end(grpc.StatusCode.OK, "", "")
            elif isinstance(error, Stranger):
                await self._turn_away()
            elif isinstance(error, asyncio.CancelledError) and self._is_awaited():
                # Nobody but us ends a call whose caller is still there.
                await self._abort(errors.ShuttingDown("cannot go on: the server is shutting down"))
            elif isinstance(error, asyncio.CancelledError | GeneratorExit):
                code = self._cut_short()
                self._end(code, code.name, "")
            elif isinstance(error, Exception):
                await self._abort(error)
        finally:
            self._about.__exit__(None, None, None)
            self._scope.__exit__(None, None, None)

    def _told(self) -> grpc.StatusCode | None:
        """Return what the caller was told behind our back: an abort counts, swallowed or not."""
        code: Any = self.context.code()  # 0 before there is one, whatever its stub says
        told = code and code is not grpc.StatusCode.OK
        return _CODES.get(code, code) if told else None

    def _is_awaited(self) -> bool:
        return self._draining.on and not self.context.done()

    def _cut_short(self) -> grpc.StatusCode:
        late = self.context.time_remaining() == 0  # None, whatever its stub says: no deadline
        return grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED

    async def _turn_away(self) -> NoReturn:
        """Answer as gRPC does where no handler is."""
        code = grpc.StatusCode.UNIMPLEMENTED
        self._end(code, code.name, f"no method {self._asked!r}")
        await self.context.abort(code, "Method not found!")

    async def _abort(self, error: Exception) -> NoReturn:
        code, status = phrasebook.phrase(error)
        reason = phrasebook.reason(error)
        if reason == phrasebook.BUG:
            logger.opt(exception=error).error("a defect in {}", self._name)
        if isinstance(error, errors.MooredError):
            self.container = error.facts.get("container", self.container)
        self._end(code, reason, str(error))
        await self.context.abort_with_status(rpc_status.to_status(status))
        raise AssertionError("abort always raises")

    def _end(self, code: grpc.StatusCode, reason: str, why: str) -> None:
        """``reason`` is why it did not end well, as its caller was told or the code says."""
        self._span.set_attribute("rpc.response.status_code", code.name)
        if reason:
            self._span.set_attribute("error.type", reason)
        if code in _LEVELS or code is grpc.StatusCode.CANCELLED:
            self._span.set_status(Status(StatusCode.ERROR, why or code.value[1]))
        took = perf_counter() - self._began
        self._measures.call(self._name, code.name, reason, took)
        self._log(code, reason, why, took)

    def _log(self, code: grpc.StatusCode, reason: str, why: str, took: float) -> None:
        method = self._name.rpartition("/")[2]
        quiet = code is grpc.StatusCode.OK and method in _QUIET
        said: dict[str, object] = {**self.caller.facts}
        if reason:
            said["reason"] = reason
        if container := self._concern.container or self.container:
            said["container"] = container
        logger.bind(
            method=method,
            code=code.name,
            seconds=round(took, 6),
            trace_id=format_trace_id(self._span.get_span_context().trace_id),
            **said,
        ).log(
            "DEBUG" if quiet else _LEVELS.get(code, "INFO"),
            "{} {}{}",
            method,
            code.name,
            f": {why}" if why else "",
        )
