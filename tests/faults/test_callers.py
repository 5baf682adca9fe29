"""Who gets in: a certificate that is believed, one URI in it, a role, and nothing that is said."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc

from moorage.v1 import container_pb2
from moorage.v1 import container_service_pb2 as wire
from moored.api.certificates import Certificates
from moored.config import Settings
from moored.model.access import methods
from moored.model.policy import LOCAL, Allowance, Policy
from tests.faults.door import listening
from tests.real.vouching import Authority, Pair, credentials
from tests.real.wire import Refusal, Wire, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from tests.faults.world import World

URI = "spiffe://example.org"
PROXY = f"{URI}/envoy"
WITHIN = 15.0
POLICY = Policy(
    roles={LOCAL: Allowance(host_network=True), "deployer": Allowance(host_pid=True)},
    methods={"deployer": methods(["reads", "moorage.v1.ContainerService/Create"])},
    identities={
        f"{URI}/ci/*": "operator",
        f"{URI}/dash": "viewer",
        f"{URI}/deploy": "deployer",
    },
    trusted_proxies=(PROXY,),
)
FORWARDED = "x-forwarded-client-cert"


@dataclass(frozen=True)
class Gate:
    """A moored behind TLS, in this process, and who vouches for its callers."""

    authority: Authority
    port: int
    world: World

    @asynccontextmanager
    async def coming(self, credentials: grpc.ChannelCredentials) -> AsyncIterator[Wire]:
        async with Wire(f"localhost:{self.port}", credentials=credentials) as connected:
            yield connected

    @asynccontextmanager
    async def as_(self, *uris: str) -> AsyncIterator[Wire]:
        pair = self.authority.client(*uris)
        async with self.coming(credentials(self.authority, pair)) as connected:
            yield connected


def settings(home: Path, **more: Any) -> Settings:
    return Settings(
        tls_cert=str(home / "tls.crt"),
        tls_key=str(home / "tls.key"),
        tls_client_ca=str(home / "ca.crt"),
        **more,
    )


@asynccontextmanager
async def gate(world: World, home: Path, policy: Policy = POLICY, **more: Any) -> Any:
    authority = Authority()
    authority.server().write(home / "tls.crt", home / "tls.key")
    (home / "ca.crt").write_bytes(authority.certificate)
    world.site.policies.policy = policy
    certificates = Certificates(settings(home, **more))
    async with listening(world, "tls://localhost:0", certificates=certificates) as (_, (port,)):
        yield Gate(authority, port, world)


@pytest.fixture
async def served(world: World, home: Path) -> AsyncIterator[Gate]:
    async with gate(world, home) as built:
        yield built


async def listed(door: Wire, metadata: Sequence[tuple[str, str]] = ()) -> Refusal | None:
    """Ask for what a viewer may, and return how that was refused."""
    return await refused(
        door.containers.List(wire.ListRequest(), timeout=WITHIN, metadata=metadata)
    )


async def created(door: Wire, **fields: Any) -> Refusal | None:
    spec = container_pb2.ContainerSpec(image="thing:1", command=["stays"], **fields)
    return await refused(door.containers.Create(wire.CreateRequest(spec=spec), timeout=WITHIN))


async def refused(call: Any) -> Refusal | None:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return refusal(error)
    return None


async def test_without_a_certificate_nobody_gets_in(served: Gate) -> None:
    async with served.coming(credentials(served.authority)) as door:
        found = await listed(door)
    assert found is not None
    assert found.code is grpc.StatusCode.UNAVAILABLE


async def test_a_foreign_authoritys_certificate_is_worth_nothing(served: Gate) -> None:
    pair = Authority().client(f"{URI}/ci/a")
    async with served.coming(credentials(served.authority, pair)) as door:
        found = await listed(door)
    assert found is not None
    assert found.code is grpc.StatusCode.UNAVAILABLE


async def test_an_expired_certificate_is_worth_nothing(served: Gate) -> None:
    from datetime import timedelta

    pair = served.authority.client(f"{URI}/ci/a", lasts=timedelta(seconds=-5))
    async with served.coming(credentials(served.authority, pair)) as door:
        found = await listed(door)
    assert found is not None
    assert found.code is grpc.StatusCode.UNAVAILABLE


async def test_a_plain_connection_is_no_way_in(served: Gate) -> None:
    async with Wire(f"localhost:{served.port}") as door:
        found = await listed(door)
    assert found is not None
    assert found.code is grpc.StatusCode.UNAVAILABLE


async def test_an_operator_creates_and_is_held_to_its_own_allowance(served: Gate) -> None:
    async with served.as_(f"{URI}/ci/build") as door:
        assert await created(door) is None
        found = await created(door, network="host")
    assert found is not None
    assert (found.code, found.reason) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "HOST_NETWORK_NOT_ALLOWED",
    )


async def test_a_viewer_reads_and_changes_nothing(served: Gate) -> None:
    async with served.as_(f"{URI}/dash") as door:
        assert await listed(door) is None
        found = await created(door)
    assert found is not None
    assert (found.code, found.reason) == (grpc.StatusCode.PERMISSION_DENIED, "METHOD_NOT_ALLOWED")
    assert found.metadata["method"] == "moorage.v1.ContainerService/Create"
    assert found.metadata["role"] == "viewer"
    assert found.metadata["rule"] == "methods"
    assert not served.world.house.registry.all()


async def test_a_role_of_the_policys_own_has_its_methods_and_its_allowance(served: Gate) -> None:
    async with served.as_(f"{URI}/deploy") as door:
        assert await created(door, pid="host") is None
        found = await refused(door.containers.Stop(wire.StopRequest(container="x"), timeout=WITHIN))
    assert found is not None
    assert found.reason == "METHOD_NOT_ALLOWED"


async def test_a_start_is_judged_by_the_role_that_created_it(served: Gate) -> None:
    """However much whoever starts it may: the record keeps whose wish it was."""
    async with served.as_(f"{URI}/ci/build") as door:
        assert await created(door, name="theirs") is None
    (view,) = served.world.house.registry.all()
    assert view.spec.role == "operator"


@pytest.mark.parametrize(
    "names",
    [
        (),
        (f"{URI}/ci/a", f"{URI}/dash"),
        (f"{URI}/nobody",),
        (f"{URI}/ci/*",),
        (f"{URI}/ci/../dash",),
        (f"{URI}/ci/a,URI={URI}/dash",),
    ],
)
async def test_without_one_uri_of_the_policy_there_is_no_role(
    served: Gate, names: tuple[str, ...]
) -> None:
    async with served.as_(*names) as door:
        found = await listed(door)
    assert found is not None
    assert (found.code, found.reason) == (grpc.StatusCode.PERMISSION_DENIED, "NO_ROLE")


async def test_names_of_hosts_and_the_subject_never_count(served: Gate) -> None:
    pair = served.authority.issue(f"{URI}/ci/a", x509.DNSName(f"{URI}/ci/a"))
    async with served.coming(credentials(served.authority, pair)) as door:
        found = await listed(door)
    assert found is not None
    assert found.reason == "NO_ROLE"


async def test_what_a_trusted_proxy_says_counts(served: Gate) -> None:
    said = [(FORWARDED, f'By={PROXY};Hash=1;Subject="CN=x";URI={URI}/dash')]
    async with served.as_(PROXY) as door:
        assert await listed(door, said) is None
        spoofed = [(FORWARDED, f"URI={URI}/ci/a,Hash=1;URI={URI}/nobody")]
        found = await listed(door, spoofed)
    assert found is not None
    assert found.reason == "NO_ROLE"


@pytest.mark.parametrize("said", [None, "", 'URI="x', "nonsense"])
async def test_a_trusted_proxy_that_names_nobody_is_nobody(served: Gate, said: str | None) -> None:
    async with served.as_(PROXY) as door:
        found = await listed(door, [] if said is None else [(FORWARDED, said)])
    assert found is not None
    assert (found.code, found.reason) == (grpc.StatusCode.UNAUTHENTICATED, "IDENTITY_MISSING")


async def test_what_anybody_else_says_is_ignored(served: Gate) -> None:
    said = [(FORWARDED, f"Hash=1;URI={URI}/ci/a")]
    async with served.as_(f"{URI}/dash") as door:
        assert await listed(door, said) is None
        request = wire.StopRequest(container="x")
        found = await refused(door.containers.Stop(request, timeout=WITHIN, metadata=said))
    assert found is not None
    assert found.metadata["role"] == "viewer"
    async with served.as_(f"{URI}/nobody") as door:
        assert await listed(door, said) is not None


async def test_health_asks_for_a_believed_certificate_and_no_role(served: Gate) -> None:
    async with served.as_(f"{URI}/nobody") as door:
        stub: Any = health_pb2_grpc.HealthStub(door.channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=WITHIN)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_where_nobody_is_asked_for_a_certificate_the_policy_says_who_they_are(
    world: World, home: Path
) -> None:
    async with (
        gate(world, home, tls_client_auth="none") as built,
        built.coming(credentials(built.authority)) as door,
    ):
        found = await listed(door)
        assert found is not None
        assert found.code is grpc.StatusCode.UNAUTHENTICATED
        world.site.policies.policy = Policy(anonymous="viewer")
        assert await listed(door) is None
        assert await created(door) is not None


async def test_whoever_may_open_the_socket_is_local(world: World, home: Path) -> None:
    world.site.policies.policy = POLICY
    async with listening(world, f"unix://{home}/l.sock", "tcp://127.0.0.1:0") as (_, (_, port)):
        async with Wire(f"unix://{home}/l.sock") as door:
            assert await created(door, network="host") is None
        async with Wire(f"127.0.0.1:{port}") as door:
            assert await created(door, network="host") is None


async def test_an_answer_is_for_the_role_that_it_was_given_to(served: Gate) -> None:
    spec = container_pb2.ContainerSpec(image="thing:1", command=["true"])
    request = wire.CreateRequest(spec=spec, request_id="once")
    async with served.as_(f"{URI}/ci/a") as door:
        assert await refused(door.containers.Create(request, timeout=WITHIN)) is None
    async with served.as_(f"{URI}/deploy") as door:
        found = await refused(door.containers.Create(request, timeout=WITHIN))
    assert found is not None
    assert found.reason == "REQUEST_ID_REUSED"


async def test_new_certificates_are_shown_without_a_restart_and_no_call_fails(
    served: Gate, home: Path
) -> None:
    """Rotated while it is called: connections go on, the next one sees the new pair."""
    authority = Authority("next")
    async with served.as_(f"{URI}/dash") as before:
        for _ in range(20):
            assert await listed(before) is None
        authority.server().write(home / "tls.crt", home / "tls.key")
        for _ in range(20):
            assert await listed(before) is None
            pair = served.authority.client(f"{URI}/dash")
            async with served.coming(credentials(authority, pair)) as after:
                assert await listed(after) is None


async def test_a_broken_pair_leaves_the_old_one_in_use(served: Gate, home: Path) -> None:
    wrong = Pair(Authority().server().certificate, Authority().server().key)
    wrong.write(home / "tls.crt", home / "tls.key")
    async with served.as_(f"{URI}/dash") as door:
        assert await listed(door) is None


async def test_a_link_that_is_moved_is_a_change(world: World, home: Path) -> None:
    """As Kubernetes does it: a directory of links to a link that is renamed."""
    authority, next_one = Authority(), Authority("next")
    for name, who in (("before", authority), ("after", next_one)):
        (home / name).mkdir()
        who.server().write(home / name / "tls.crt", home / name / "tls.key")
        (home / name / "ca.crt").write_bytes(authority.certificate)
    (home / "now").symlink_to("before")
    for file in ("tls.crt", "tls.key", "ca.crt"):
        (home / file).symlink_to(f"now/{file}")
    world.site.policies.policy = POLICY
    certificates = Certificates(settings(home))
    async with listening(world, "tls://localhost:0", certificates=certificates) as (_, (port,)):
        pair = authority.client(f"{URI}/dash")
        async with Wire(f"localhost:{port}", credentials=credentials(authority, pair)) as door:
            assert await listed(door) is None
        (home / "next").symlink_to("after")
        (home / "next").rename(home / "now")
        async with Wire(f"localhost:{port}", credentials=credentials(next_one, pair)) as door:
            assert await listed(door) is None
    assert (certificates.reloads, certificates.failures) == (1, 0)
