"""Every method is in the table, and a role may call what the table and the policy say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from grpc_channelz.v1 import channelz_pb2

from moored.api.server import SERVICES
from moored.model.access import METHODS, Access, may_call, methods
from moored.model.policy import LOCAL, OPERATOR, VIEWER, Policy

DOCUMENT = Path(__file__).parents[2] / "docs" / "authorization.md"
CHANNELZ = channelz_pb2.DESCRIPTOR.services_by_name["Channelz"]
SERVED = {f"{s.full_name}/{m.name}" for s in (*SERVICES, CHANNELZ) for m in s.methods}


def test_every_method_of_every_service_is_in_the_table_and_nothing_else() -> None:
    assert set(METHODS) == SERVED


def test_what_has_a_request_id_is_no_reading() -> None:
    named = {
        f"{s.full_name}/{m.name}"
        for s in SERVICES
        for m in s.methods
        if "request_id" in m.input_type.fields_by_name
    }
    assert not {method for method in named if METHODS[method] is Access.READ}


@pytest.mark.parametrize("method", sorted(SERVED))
def test_a_viewer_reads_and_does_nothing_else(method: str) -> None:
    assert may_call(method, VIEWER, Policy()) is (METHODS[method] is Access.READ)
    assert may_call(method, OPERATOR, Policy())
    assert may_call(method, LOCAL, Policy())


@pytest.mark.parametrize("role", [LOCAL, OPERATOR, VIEWER, "nobody", ""])
def test_a_method_that_is_not_in_the_table_is_denied_to_all(role: str) -> None:
    assert not may_call("moorage.v1.ContainerService/Explode", role, Policy())


def test_a_role_of_the_policys_own_calls_what_it_lists() -> None:
    start = "moorage.v1.ContainerService/Start"
    policy = Policy(methods={"deployer": methods(["reads", start])})
    assert may_call(start, "deployer", policy)
    assert may_call("moorage.v1.ContainerService/List", "deployer", policy)
    assert not may_call("moorage.v1.ContainerService/Stop", "deployer", policy)
    assert not may_call(start, "another", policy)


def test_a_policy_cannot_give_the_built_in_roles_other_methods() -> None:
    policy = Policy(methods={VIEWER: frozenset(METHODS)})
    assert not may_call("moorage.v1.ContainerService/Start", VIEWER, policy)


def test_a_name_that_is_no_method_is_refused() -> None:
    with pytest.raises(ValueError, match="Strat"):
        methods(["moorage.v1.ContainerService/Strat"])


def test_the_document_has_the_same_table() -> None:
    rows = re.findall(
        r"^\| `([\w.]+/\w+)` \| (\w+) \| (yes|no) \| yes \| yes \|$",
        DOCUMENT.read_text(),
        re.MULTILINE,
    )
    said = {
        method if "." in method else f"moorage.v1.{method}": (access, viewer == "yes")
        for method, access, viewer in rows
    }
    assert said == {
        method: (access.value, access is Access.READ) for method, access in METHODS.items()
    }
