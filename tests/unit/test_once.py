"""Equal requests are equal in all but their name; only what is final is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moorage.v1 import container_service_pb2 as wire
from moorage.v1 import exec_service_pb2
from moorage.v1.container_pb2 import ContainerSpec, Secret
from moored import errors
from moored.api import once, phrasebook
from moored.api.once import FIELD, Mark, Once
from moored.model.requests import Request
from moored.requests import AnsweredBefore

if TYPE_CHECKING:
    from google.protobuf.message import Message


def named(method: str, message: Message) -> Request | None:
    return once.named(method, message, lambda value: b"mark of " + value)


READING = {"Attach", "Inspect", "List", "Wait", "Watch", "Logs", "GetServerInfo", "Stats"}
"""Attach beside them, which is a conversation: what has no one answer cannot be asked for twice."""
CONVERSATIONS = {"Exec"}
LABELS = {f"key-{number}": str(number) for number in range(50)}


def test_every_method_that_changes_something_takes_a_name() -> None:
    methods = wire.DESCRIPTOR.services_by_name["ContainerService"].methods
    taking = {m.name for m in methods if FIELD in m.input_type.fields_by_name}
    assert taking == {method.name for method in methods} - READING


def test_every_exec_that_answers_once_takes_a_name() -> None:
    methods = exec_service_pb2.DESCRIPTOR.services_by_name["ExecService"].methods
    taking = {m.name for m in methods if FIELD in m.input_type.fields_by_name}
    reading = {"InspectExec", "ListExecs"}
    assert taking == {method.name for method in methods} - reading - CONVERSATIONS


def test_equal_requests_have_one_fingerprint_whatever_the_order_of_their_labels() -> None:
    one = wire.CreateRequest(spec=ContainerSpec(image="b", labels=LABELS), request_id="r")
    backwards = dict(reversed(LABELS.items()))
    other = wire.CreateRequest(spec=ContainerSpec(image="b", labels=backwards), request_id="r")
    assert named("Create", one) == named("Create", other)


def test_a_fingerprint_tells_secrets_apart_and_nothing_of_them() -> None:
    def request(value: bytes) -> wire.StartRequest:
        given = [Secret(name="s", value=value)]
        return wire.StartRequest(spec=ContainerSpec(image="b", secrets=given), request_id="r")

    def printed(value: bytes, key: bytes) -> bytes:
        found = once.named("Start", asked := request(value), lambda content: key + content)
        assert asked == request(value)
        assert found is not None
        return found.fingerprint

    prints = {printed(value, key) for value in (b"1", b"2") for key in (b"a", b"b")}
    assert len(prints) == 4
    assert printed(b"1", b"a") in prints


def test_the_fingerprint_knows_the_method_and_each_field_but_not_the_name() -> None:
    stop = wire.StopRequest(container="c", request_id="r")
    prints = {
        found.fingerprint
        for found in (
            named("Stop", stop),
            named("Restart", wire.RestartRequest(container="c", request_id="r")),
            named("Stop", wire.StopRequest(container="d", request_id="r")),
            named("Stop", wire.StopRequest(container="c", request_id="r", signal="INT")),
        )
        if found is not None
    }
    assert len(prints) == 4
    renamed = named("Stop", wire.StopRequest(container="c", request_id="q"))
    assert renamed is not None
    assert renamed.fingerprint in prints
    assert stop.request_id == "r"


@pytest.mark.parametrize(
    "message",
    [
        wire.StopRequest(container="c"),
        wire.InspectRequest(container="c"),
        wire.StartRequest(container="c", request_id="r", validate_only=True),
    ],
    ids=["unset", "no field", "validate_only"],
)
def test_a_request_without_a_name_counts_each_time(
    message: wire.StopRequest | wire.InspectRequest | wire.StartRequest,
) -> None:
    assert named("Method", message) is None


@pytest.mark.parametrize("name", ["x" * 129, "a\nb", "\x7f", "гавань", "\0"])
def test_a_name_that_breaks_the_rule_is_refused(name: str) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        named("Stop", wire.StopRequest(container="c", request_id=name))
    assert [violation.field for violation in caught.value.violations] == ["request_id"]


@pytest.mark.parametrize("name", ["x" * 128, " ", "~", "7b0f3c2e-5d2b-4c39-9d59-1b4c4e8b4b0e"])
def test_a_name_may_be_any_printable_ascii(name: str) -> None:
    assert named("Stop", wire.StopRequest(container="c", request_id=name)) is not None


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (errors.NameTaken("m"), True),
        (errors.ContainerNotFound("m"), True),
        (errors.CommandNotFound("m"), True),
        (errors.InvalidField("m"), True),
        (errors.HostNetworkNotAllowed("m"), True),
        (errors.ContainerStopping("m"), False),
        (errors.RuntimeUnreachable("m"), False),
        (errors.StartQueueFull("m", retry_after=1), False),
        (errors.PreemptedByCleanup("m"), False),
        (errors.EtagMismatch("m"), False),
        (errors.StepTimedOut("m"), False),
        (errors.RuntimeRefused("m"), False),
        (errors.LedgerFailed("m"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_is_kept_if_a_retry_cannot_help(error: errors.MooredError, kept: bool) -> None:
    assert (_once().last_word(error) is not None) == kept


def test_a_failure_that_was_kept_is_told_as_it_was_the_first_time() -> None:
    error = errors.NameTaken("cannot create container 'web'", name="web", container="c")
    error.add_note("a note")
    word = _once().last_word(error)
    assert word is not None
    before = AnsweredBefore(word)
    assert phrasebook.phrase(before) == phrasebook.phrase(error)
    assert phrasebook.reason(before) == "NAME_TAKEN"


async def test_an_answer_is_bytes_whether_or_not_it_was_before() -> None:
    response = wire.StopResponse(already_stopped=True)
    assert await _once(response).run(None) == response.SerializeToString()
    assert await _once(b"bytes").run(None) == b"bytes"


def _once(response: wire.StopResponse | bytes = b"") -> Once:
    async def answer(_: Mark) -> wire.StopResponse | bytes:
        return response

    return Once(answer, Request("r", b""))
