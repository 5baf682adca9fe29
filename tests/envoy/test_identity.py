"""Envoy says who calls, by the certificate it has seen; moored believes it, and nobody else."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import container_service_pb2 as service
from tests.real.certificates import Authority
from tests.real.specs import sleeper
from tests.real.wire import Wire, refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.envoy.conftest import Mesh
    from tests.envoy.process import Envoy
    from tests.real.moored import Moored

pytestmark = pytest.mark.real

SAID = (("x-forwarded-client-cert", "URI=spiffe://mesh/operators/one"),)


async def test_a_viewer_reads_and_changes_nothing(plain: tuple[Mesh, Envoy]) -> None:
    mesh, envoy = plain
    async with mesh.wire(envoy, mesh.trust.viewer) as wire:
        known = await wire.list()
        for metadata in ((), SAID):
            request = service.CreateRequest(spec=sleeper(), request_id="viewer")
            found = await refused(wire.containers.Create(request, metadata=metadata))
            assert found.code is grpc.StatusCode.PERMISSION_DENIED
            assert found.reason == "METHOD_NOT_ALLOWED"
            assert found.metadata["role"] == "viewer"
        assert await wire.list() == known


async def test_who_has_no_role_is_refused_by_name(plain: tuple[Mesh, Envoy]) -> None:
    mesh, envoy = plain
    stranger = mesh.trust.authority.issue("stranger", uri="spiffe://mesh/strangers/one")
    async with mesh.wire(envoy, stranger) as wire:
        found = await refused(wire.containers.List(service.ListRequest()))
        assert (found.code, found.reason) == (grpc.StatusCode.PERMISSION_DENIED, "NO_ROLE")


async def test_who_goes_round_envoy_is_who_its_own_certificate_says(
    plain: tuple[Mesh, Envoy],
) -> None:
    mesh, _ = plain
    host, port = mesh.upstream
    viewer = mesh.trust.authority.credentials(mesh.trust.viewer)
    async with Wire(f"{host}:{port}", credentials=viewer) as wire:
        request = service.CreateRequest(spec=sleeper(), request_id="round")
        found = await refused(wire.containers.Create(request, metadata=SAID))
        assert (found.code, found.metadata["role"]) == (
            grpc.StatusCode.PERMISSION_DENIED,
            "viewer",
        )


async def test_who_has_no_certificate_of_the_authority_gets_no_word(
    plain: tuple[Mesh, Envoy], tmp_path: Path
) -> None:
    mesh, envoy = plain
    foreign = Authority(tmp_path, "foreign").issue("caller", uri="spiffe://mesh/operators/one")
    for address in (envoy.address, "{}:{}".format(*mesh.upstream)):
        for pair in (None, foreign):
            credentials = mesh.trust.authority.credentials(pair)
            async with Wire(address, credentials=credentials) as wire:
                found = await refused(wire.containers.List(service.ListRequest(), timeout=5))
                assert (found.code, found.reason) == (grpc.StatusCode.UNAVAILABLE, "")


async def test_callers_who_go_away_at_once_leave_moored_alive(
    own_moored_behind: Moored, own_mesh: Mesh
) -> None:
    """What goes on for a caller who has gone asks gRPC nothing about that call."""
    address = "{}:{}".format(*own_mesh.upstream)
    front = own_mesh.trust.authority.credentials(own_mesh.trust.front)
    chance = random.Random(1)
    async with Wire(address, credentials=front) as wire:
        await wire.containers.List(service.ListRequest(), metadata=SAID, wait_for_ready=True)
        for number in range(100):
            names = [f"gone-{number}-{caller}" for caller in range(10)]
            calls = [
                wire.containers.Create(
                    service.CreateRequest(spec=sleeper(name=name), request_id=name), metadata=SAID
                )
                for name in names
            ]
            await asyncio.sleep(chance.random() * 0.01)  # some have begun by then, some not
            for call in calls:
                call.cancel()
    async with Wire(own_moored_behind.address) as local:
        for container in await local.list():
            await local.remove(container.id)
