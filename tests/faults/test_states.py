"""docs/states.md is what the service answers: each verb, called in each state, says so again."""

from __future__ import annotations

import grpc
import pytest

from moorage.v1 import container_service_pb2, exec_service_pb2
from moored.model import state as states
from tests.faults.answers import VERBS
from tests.faults.scenes import STATES
from tools.states import PAGE, line, row

DEFECTS = {grpc.StatusCode.INTERNAL.name, grpc.StatusCode.UNKNOWN.name}


@pytest.mark.parametrize("verb", VERBS)
async def test_a_verb_answers_in_each_state_what_is_documented_and_never_internal(
    verb: str,
) -> None:
    answers = await row(verb)
    assert [state for state, given in answers.items() if given.code in DEFECTS] == []
    assert line(verb, answers) in PAGE.read_text().splitlines(), "run python -m tools.states"


def test_every_state_has_its_column() -> None:
    known = {kind.__name__ for kind in states.State.__args__}
    assert {"Frozen" if state == "Paused" else state for state in STATES} == known


_OF_NONE = {"Audit", "GetServerInfo", "Watch"}
"""What is about no container."""


def test_every_verb_of_the_service_has_its_line_but_those_about_no_container() -> None:
    service = container_service_pb2.DESCRIPTOR.services_by_name["ContainerService"]
    named = {verb.partition(",")[0] for verb in VERBS}
    assert {method.name for method in service.methods} - named == _OF_NONE
    execs = exec_service_pb2.DESCRIPTOR.services_by_name["ExecService"]
    of_an_exec = {"InspectExec", "KillExec"}
    assert {method.name for method in execs.methods} - named == of_an_exec
