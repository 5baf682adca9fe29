"""What a caller of an exec may ask for: every limit has one, and is refused by its path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from moorage.v1 import container_service_pb2 as attach_wire
from moorage.v1 import exec_service_pb2 as wire
from moorage.v1.terminal_pb2 import WindowSize
from moored import errors
from moored.api import asked_exec
from moored.streams.logs import Selection
from moored.streams.output import Stream
from tests.real.wire import duration

if TYPE_CHECKING:
    from collections.abc import Callable


def refused(work: Callable[[], Any]) -> str:
    with pytest.raises(errors.InvalidField) as caught:
        work()
    [violation] = caught.value.violations
    return violation.field


@pytest.mark.parametrize(
    ("request_id", "limit", "kept"),
    [("", 0, 1 << 20), ("", 3 << 20, 3 << 20), ("r", 0, 1 << 16), ("r", 100, 100)],
)
def test_output_is_kept_up_to_a_limit(request_id: str, limit: int, kept: int) -> None:
    request = wire.ExecSyncRequest(output_limit=limit, request_id=request_id)
    assert asked_exec.output_limit(request) == kept


@pytest.mark.parametrize(("request_id", "limit"), [("", (3 << 20) + 1), ("r", (1 << 16) + 1)])
def test_more_output_than_an_answer_holds_is_refused(request_id: str, limit: int) -> None:
    request = wire.ExecSyncRequest(output_limit=limit, request_id=request_id)
    assert refused(lambda: asked_exec.output_limit(request)) == "output_limit"


def test_more_stdin_than_a_message_should_hold_is_refused() -> None:
    request = wire.ExecSyncRequest(stdin=bytes((1 << 20) + 1))
    assert refused(lambda: asked_exec.stdin(request)) == "stdin"


@pytest.mark.parametrize("seconds", [0, 3601])
def test_a_time_limit_is_some_time_and_not_all_day(seconds: float) -> None:
    request = wire.ExecSyncRequest(timeout=duration(seconds))
    assert refused(lambda: asked_exec.time_limit(request)) == "timeout"
    assert asked_exec.time_limit(wire.ExecSyncRequest()) == 3600


def test_a_window_goes_with_a_terminal_and_has_a_size() -> None:
    window = WindowSize(width=80, height=24)
    without = wire.ExecStart(window=window)
    assert refused(lambda: asked_exec.start_window(without)) == "start.window"
    flat = wire.ExecStart(window=WindowSize(width=80), spec=wire.ExecSpec(tty=True))
    assert refused(lambda: asked_exec.start_window(flat)) == "start.window"
    assert asked_exec.start_window(wire.ExecStart()) is None


def test_an_attachment_begins_at_lines_or_at_bytes_and_not_at_both() -> None:
    start = attach_wire.AttachStart
    assert asked_exec.selection(start()) == Selection()
    assert asked_exec.selection(start(tail=0)) == Selection(tail=0)
    offsets = {Stream.STDERR: 7}
    assert asked_exec.selection(start(stderr_offset=7)) == Selection(offsets=offsets)
    for wrong in (start(tail=-1), start(tail=1, stdout_offset=1)):
        assert refused(lambda wrong=wrong: asked_exec.selection(wrong)) == "start.tail"  # type: ignore[misc]
