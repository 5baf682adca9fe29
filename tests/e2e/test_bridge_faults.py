"""Every request that the bridge makes of the kernel, broken in each way, on the real thing.

Whichever it was, a start that fails is a network's failure, undone whole, and never tried again by
the policy; a release that fails is named, and made good. With moored killed at any of them nothing
is left once it is there again, and the next start works.

A selection runs with all tests; ``make faults`` runs the whole.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import grpc.aio
import pytest

from moorage.v1 import container_pb2 as shapes
from moorage.v1 import container_service_pb2 as service
from tests.real.agreement import ledger_resources, settled_container
from tests.real.deadlines import until
from tests.real.specs import sleeper
from tests.real.wire import Wire, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.mark import ParameterSet

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

NAME: Final = "life"
LIMITS: Final = {"step_timeout": "2s", "undo_timeout": "8s"}
MAKING: Final = ("bridge", "address", "pair", "port", "up", "route")
"""The requests of a start, by their fail points."""
SIDES: Final = ("before", "after")
SELECTED: Final = frozenset({"port.after=error", "pair.before=hang"})
FAILED: Final = service.RELEASE_OUTCOME_FAILED
SWEPT_WITHIN: Final = 30.0
KILLED: Final = frozenset({"pair.after"})


def _always() -> shapes.ContainerSpec:
    policy = shapes.RestartPolicy(condition=shapes.RESTART_CONDITION_ALWAYS)
    return sleeper(name=NAME, network="bridge", restart_policy=policy)


def _failing() -> Iterator[ParameterSet]:
    for point in (f"{name}.{side}" for name in MAKING for side in SIDES):
        for action in ("error", "hang"):
            case = f"{point}={action}"
            yield pytest.param(case, id=case, marks=() if case in SELECTED else pytest.mark.soak)


def _killing() -> Iterator[ParameterSet]:
    for point in (f"{name}.{side}" for name in (*MAKING, "delete") for side in SIDES):
        yield pytest.param(point, id=point, marks=() if point in KILLED else pytest.mark.soak)


@pytest.mark.parametrize("case", list(_failing()))
async def test_s28_a_start_whose_network_fails_is_undone_and_not_tried_again(
    site: Site, case: str
) -> None:
    point, _, action = case.partition("=")
    daemon = site.start_moored({**LIMITS, "failpoints": f"netlink.{point}=1*{action}"})
    before = site.look()
    async with Wire(daemon.address) as wire:
        refusal = await refused(wire.run(_always()))
        assert (refusal.reason, refusal.metadata["step"]) == ("NETWORK_FAILED", "attach")
        (failed,) = await wire.list()
        assert failed.status.state == shapes.CONTAINER_STATE_EXITED
        assert (failed.status.error.reason, failed.status.error.retriable) == (
            "NETWORK_FAILED",
            False,
        )
        assert not failed.status.leftovers
        assert not failed.status.HasField("restart")
        assert (await wire.start(failed.id)).container.status.run == 2
        await wire.remove(failed.id)
    assert site.changes_since(before) == []
    assert ledger_resources(daemon) == set()
    daemon.stop()


@pytest.mark.parametrize("point", list(_killing()))
async def test_moored_killed_at_a_request_leaves_nothing_of_it(site: Site, point: str) -> None:
    daemon = site.start_moored({**LIMITS, "failpoints": f"netlink.{point}=1*kill"})
    before = site.look()
    async with Wire(daemon.address) as wire:
        await _killed(wire)
    await asyncio.to_thread(_come_back, daemon)
    async with Wire(daemon.address) as wire:
        container = await settled_container(wire, NAME)
        if container is not None and container.status.pid == 0:
            assert (await wire.start(container.id)).container.status.pid
        if container is not None:
            await wire.remove(container.id)
    assert site.changes_since(before) == []
    assert ledger_resources(daemon) == set()
    daemon.stop()


@pytest.mark.parametrize("action", ["error", pytest.param("hang", marks=pytest.mark.soak)])
async def test_a_link_that_is_not_released_keeps_its_address_until_it_is(
    site: Site, action: str
) -> None:
    daemon = site.start_moored({**LIMITS, "failpoints": f"netlink.delete.before=1*{action}"})
    before = site.look()
    async with Wire(daemon.address) as wire:
        container = await wire.run(sleeper(name=NAME, network="bridge"))
        answer = await wire.cleanup(container.id)
        failed = {row.kind: row.reason for row in answer.resources if row.outcome == FAILED}
        assert set(failed) == {"link", "address", "bridge"}
        assert failed["address"] == failed["bridge"] == "the link is still there"
    until(lambda: not ledger_resources(daemon), "the sweep has it", within=SWEPT_WITHIN)
    assert site.changes_since(before) == []
    daemon.stop()


async def _killed(wire: Wire) -> None:
    """Let a container live until moored is killed."""
    try:
        container = await wire.run(sleeper(name=NAME, network="bridge"))
        await wire.cleanup(container.id)
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.UNAVAILABLE  # noqa: PT017
    else:
        raise AssertionError("moored was not killed")


def _come_back(daemon: Moored) -> None:
    daemon.await_end()
    daemon.reconfigure(failpoints="")
    daemon.start()
