"""grpcurl and `buf curl` see what programs see: the lines of transcript.txt, byte by byte.

All but what takes more than a shell: streams that are read while other calls are made.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.json_format import ParseDict
from google.rpc import code_pb2, error_details_pb2

from moorage.v1 import container_pb2 as c
from moorage.v1 import container_service_pb2 as s
from moorage.v1 import exec_service_pb2 as e
from tests.interop.curls import buf_curl, grpcurl
from tests.interop.programs import HERE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.real.moored import Moored

    Curl = Callable[[str, str, list[Any]], tuple[list[Any], Any]]

pytestmark = pytest.mark.real

SCRIPT = "trap 'echo bye; echo warned >&2; exit 7' TERM; echo ready; sleep 1000 & wait"
SPEC = {
    "name": "interop",
    "image": "interop",
    "command": ["sh", "-c", SCRIPT],
    "network": "none",
    "labels": {"made-by": "interop"},
    "stop_timeout": "2.5s",
    "log_config": {"driver": "LOG_DRIVER_FILE"},
}
NAMED = {"container": "interop"}
NOT_BY_CURL = ("watch:", "exec: ", "logs: first", "deadline:", "error: RESOURCE", "error: retry")


@pytest.mark.parametrize("curl", [grpcurl, buf_curl])
def test_a_shell_sees_what_a_program_sees(curl: Curl, moored: Moored, archive: Path) -> None:
    told = list(_story(curl, str(moored.socket), archive))
    curl(str(moored.socket), "ImageService/Remove", [{"image": "interop"}])
    expected = (HERE / "transcript.txt").read_text().splitlines()
    assert told == [
        line for line in expected if not line.startswith(NOT_BY_CURL) and "no turn" not in line
    ]


def _story(curl: Curl, socket: str, archive: Path) -> Iterator[str]:
    def ask(method: str, request: Any, answer: Any) -> Any:
        answers, error = curl(socket, method, [request])
        assert error is None, error
        return ParseDict(answers[0], answer)

    def refused(method: str, request: Any) -> Iterator[str]:
        return _error(curl(socket, method, [request])[1])

    content = archive.read_bytes()
    chunks = (content[at : at + 2**18] for at in range(0, len(content), 2**18))
    parts = [{"chunk": base64.b64encode(chunk).decode()} for chunk in chunks]
    imported, _ = curl(socket, "ImageService/Import", [{"options": {"name": "interop"}}, *parts])
    yield f"import: {imported[0]['images'][0]['name']}"
    service = "ContainerService"
    start = {"spec": SPEC, "request_id": f"curl-{curl.__name__}"}
    container = ask(f"{service}/Start", start, s.StartResponse()).container
    yield f"start: run {container.status.run}, {c.ContainerState.Name(container.status.state)}"
    again = ask(f"{service}/Start", start, s.StartResponse()).container
    assert again.id == container.id
    yield f"start: again, the same container yes, run {again.status.run}"
    yield from _inspected(ask(f"{service}/Inspect", NAMED, s.InspectResponse()).container)
    spec = {"args": ["sh", "-c", "tr a-z A-Z; echo oops >&2; exit 3"]}
    request = {**NAMED, "spec": spec, "stdin": base64.b64encode(b"hello").decode()}
    done = ask("ExecService/ExecSync", request, e.ExecSyncResponse())
    yield f"exec_sync: stdout {done.stdout.decode()}, stderr {done.stderr.decode().strip()}"
    reason = e.ExecEndReason.Name(done.exec.end_reason)
    yield f"exec_sync: {reason}, exit {done.exec.exit.code}"
    ask(f"{service}/Kill", {**NAMED, "signal": "SIGTERM"}, s.KillResponse())
    yield from _logged(curl, socket)
    wait = {**NAMED, "condition": "WAIT_CONDITION_EXITED", "timeout": "30s"}
    waited = ask(f"{service}/Wait", wait, s.WaitResponse())
    exit_ = waited.container.status.exit
    yield f"wait: reached yes, exit {exit_.code}, {c.ExitOrigin.Name(exit_.origin)}"
    yield from refused(f"{service}/Start", {"spec": {"image": "no/such"}})
    yield from refused(f"{service}/Start", {"spec": {"image": "busybox", "stop_timeout": "-1s"}})
    cleaned = ask(f"{service}/Cleanup", {**NAMED, "remove": True}, s.CleanupResponse())
    for row in cleaned.resources:
        yield f"cleanup: {row.kind} {s.ReleaseOutcome.Name(row.outcome)}"
    yield f"cleanup: complete {_told(cleaned.complete)}"
    yield from refused(f"{service}/Inspect", NAMED)


def _inspected(seen: c.Container) -> Iterator[str]:
    spec, status, state = seen.spec, seen.status, c.ContainerState.Name(seen.status.state)
    yield f"inspect: {seen.name}, {state}, generation {seen.generation}, run {status.run}"
    yield f"inspect: label made-by={spec.labels['made-by']}, command of {len(spec.command)} words"
    stop = spec.stop_timeout
    yield f"inspect: stop_timeout {stop.seconds} s {stop.nanos} ns"
    yield f"inspect: {c.LogDriver.Name(spec.log_config.driver)}"
    ordered = seen.create_time.ToNanoseconds() < status.start_time.ToNanoseconds()
    yield f"inspect: created before it was started {_told(ordered)}"
    yield f"inspect: has a pid {_told(status.pid > 0)}, an exit {_told(status.HasField('exit'))}"


def _logged(curl: Curl, socket: str) -> Iterator[str]:
    request = {**NAMED, "follow": True, "format": "LOG_FORMAT_LINES"}
    answers, error = curl(socket, "ContainerService/Logs", [request])
    assert error is None, error
    parts = [ParseDict(answer, s.LogsResponse()) for answer in answers]
    lines = sorted((part.stream, part.line) for part in parts if part.HasField("line"))
    assert (s.LOG_STREAM_STDOUT, "ready") in lines
    for stream, line in lines:
        if line != "ready":
            yield f"logs: {s.LogStream.Name(stream)} {line}"
    yield "logs: ended"


def _error(status: Any) -> Iterator[str]:
    for detail in status.details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            facts = "".join(f" {key}={value}" for key, value in sorted(info.metadata.items()))
            yield f"error: {code_pb2.Code.Name(status.code)} {info.domain}/{info.reason}{facts}"
            yield f"error: message {status.message}"
        elif detail.Unpack(bad):
            for violation in bad.field_violations:
                yield f"error: field {violation.field}: {violation.description}"


def _told(truth: bool) -> str:
    return "yes" if truth else "no"
