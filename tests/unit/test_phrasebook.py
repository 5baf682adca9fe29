"""The phrasebook: every error of moored's has its code, and reaches a caller whole."""

from __future__ import annotations

import re
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2

from moorage import errors as client_errors
from moored import errors
from moored.api import phrasebook
from moored.containerd.connection import Absent

PROTOS = Path(__file__).parents[2] / "protos" / "moorage" / "v1"
NEVER_ON_THE_WIRE = {errors.SetupRefused, errors.FieldsRefused}
NEVER_FROM_A_CALL = {"INTERRUPTED"}
"""Only shown in a record: nobody waits for a start that died with the service."""


def concrete() -> set[type[errors.MooredError]]:
    found: set[type[errors.MooredError]] = set()
    rest = [errors.MooredError]
    while rest:
        kinds = rest.pop().__subclasses__()
        rest += kinds
        found |= {kind for kind in kinds if kind.__module__ == errors.__name__}
    return found - NEVER_ON_THE_WIRE


def example(kind: type[errors.MooredError]) -> errors.MooredError:
    if issubclass(kind, errors.FieldsRefused):
        return kind("cannot do it: why", errors.Violation("spec.env[0]", "is bad"), run="c.1")
    if kind is errors.StartQueueFull:
        return errors.StartQueueFull("cannot do it: why", retry_after=1.5, run="c.1")
    return kind("cannot do it: why", run="c.1")


ALL = sorted(concrete(), key=lambda kind: kind.__name__)


def test_every_error_has_a_code_and_no_code_is_without_its_error() -> None:
    assert set(phrasebook.OUTBOUND) == concrete()


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_error_keeps_its_words_its_reason_and_its_facts(kind: type[errors.MooredError]) -> None:
    code, status = phrasebook.phrase(example(kind))
    known = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(known)
    assert code is phrasebook.OUTBOUND[kind]
    assert status.code == code.value[0]
    assert status.message == "cannot do it: why"
    assert (known.domain, known.reason) == ("moorage", errors.reason(kind))
    assert dict(known.metadata) == {"run": "c.1"}


def test_the_fields_that_were_refused_are_named() -> None:
    _, status = phrasebook.phrase(example(errors.NotServed))
    request = error_details_pb2.BadRequest()
    assert status.details[1].Unpack(request)
    (violation,) = request.field_violations
    assert (violation.field, violation.description) == ("spec.env[0]", "is bad")


def test_a_full_queue_says_when_to_come_again() -> None:
    _, status = phrasebook.phrase(example(errors.StartQueueFull))
    retry = error_details_pb2.RetryInfo()
    assert status.details[1].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 1500


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_what_is_unavailable_says_when_to_try_again_and_nothing_else_does(
    kind: type[errors.MooredError],
) -> None:
    code, status = phrasebook.phrase(example(kind))
    says = any(each.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for each in status.details)
    assert says == (code is grpc.StatusCode.UNAVAILABLE or kind is errors.StartQueueFull)


def test_what_went_wrong_in_the_undo_rides_along() -> None:
    error = errors.RuntimeRefused("cannot create task: no")
    error.add_note("cannot undo layer: busy")
    _, status = phrasebook.phrase(error)
    assert status.message == "cannot create task: no; cannot undo layer: busy"


def test_a_refinement_of_an_error_is_answered_as_what_it_refines() -> None:
    code, status = phrasebook.phrase(Absent("cannot find layer"))
    known = error_details_pb2.ErrorInfo()
    status.details[0].Unpack(known)
    assert (code, known.reason) == (grpc.StatusCode.INTERNAL, "RUNTIME_REFUSED")


def test_a_defect_is_answered_without_its_words() -> None:
    code, status = phrasebook.phrase(ValueError("secret path /root/x"))
    assert code is grpc.StatusCode.INTERNAL
    assert "secret" not in str(status)
    assert phrasebook.reason(ValueError("x")) == "BUG"


def test_the_client_knows_every_reason_by_the_same_name() -> None:
    ours = {errors.reason(kind): kind.__name__ for kind in ALL}
    theirs = {reason: kind.__name__ for reason, kind in client_errors.BY_REASON.items()}
    assert theirs == ours


def test_every_reason_stands_in_a_table_of_the_protocol() -> None:
    tables = "\n".join(path.read_text() for path in PROTOS.glob("*.proto"))
    documented = set(re.findall(r"^ *// +([A-Z_]+)  +([A-Z][A-Z_]+) ", tables, re.MULTILINE))
    ours = {
        (code.name, errors.reason(kind))
        for kind, code in phrasebook.OUTBOUND.items()
        if errors.reason(kind) not in NEVER_FROM_A_CALL
    }
    assert ours <= documented
    assert documented - ours == {("INTERNAL", "BUG")}
