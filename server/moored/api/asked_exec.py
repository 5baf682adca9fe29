"""What a caller of an exec or an attachment asked for, from the wire into the model's values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moored.api import asked
from moored.model.execs import ExecSpec, WindowSize, window_fault
from moored.oci import signals
from moored.streams.logs import Selection
from moored.streams.output import Stream

if TYPE_CHECKING:
    from moorage.v1 import container_service_pb2, exec_service_pb2, terminal_pb2

DEFAULT_OUTPUT: Final = 1 << 20
LARGEST_OUTPUT: Final = 3 << 20
LARGEST_KEPT: Final = 1 << 16
"""Bytes of an answer that stays in the ledger for a day."""
LARGEST_STDIN: Final = 1 << 20
LONGEST_RUN: Final = 3600.0
"""Seconds that a command may take whose caller gave no limit."""


def spec(message: exec_service_pb2.ExecSpec, role: str) -> ExecSpec:
    return ExecSpec(
        args=tuple(message.args),
        env=tuple(message.env),
        working_dir=message.working_dir,
        user=message.user,
        tty=message.tty,
        privileged=message.privileged,
        role=role,
    )


def window(message: terminal_pb2.WindowSize, field: str) -> WindowSize:
    size = WindowSize(message.width, message.height)
    if why := window_fault(size):
        raise asked.refused(field, why)
    return size


def signal(text: str) -> int:
    number = signals.parse(text)
    if number is None:
        raise asked.refused("signal", f"{text!r} names no signal")
    return number


def start_window(message: exec_service_pb2.ExecStart) -> WindowSize | None:
    if not message.HasField("window"):
        return None
    if not message.spec.tty:
        raise asked.refused("start.window", "goes with spec.tty only")
    return window(message.window, "start.window")


def output_limit(request: exec_service_pb2.ExecSyncRequest) -> int:
    named = bool(request.request_id)
    largest = LARGEST_KEPT if named else LARGEST_OUTPUT
    if request.output_limit > largest:
        why = " with a request_id, whose answer is kept" if named else ""
        raise asked.refused("output_limit", f"must be at most {largest}{why}")
    return request.output_limit or (LARGEST_KEPT if named else DEFAULT_OUTPUT)


def stdin(request: exec_service_pb2.ExecSyncRequest) -> bytes:
    if len(request.stdin) > LARGEST_STDIN:
        raise asked.refused("stdin", f"must be at most {LARGEST_STDIN} bytes")
    return request.stdin


def time_limit(request: exec_service_pb2.ExecSyncRequest) -> float:
    """Return seconds that a command may take."""
    if not request.HasField("timeout"):
        return LONGEST_RUN
    limit = asked.duration(request.timeout, "timeout").total_seconds()
    if not 0 < limit <= LONGEST_RUN:
        raise asked.refused("timeout", "must be more than 0, and at most an hour")
    return limit


def selection(start: container_service_pb2.AttachStart) -> Selection:
    """Return which part of a run's output an attachment begins with."""
    given = {Stream.STDOUT: start.stdout_offset, Stream.STDERR: start.stderr_offset}
    offsets = {stream: offset for stream, offset in given.items() if offset}
    if not start.HasField("tail"):
        return Selection(offsets=offsets)
    if start.tail < 0:
        raise asked.refused("start.tail", "must not be negative")
    if offsets:
        raise asked.refused("start.tail", "does not go with an offset")
    return Selection(tail=start.tail)
