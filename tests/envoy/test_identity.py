"""Envoy says who calls, by the certificate it has seen; moored believes it, and nobody else."""

from __future__ import annotations

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
