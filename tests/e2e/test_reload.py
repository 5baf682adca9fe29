"""SIGHUP: what decides who gets in is read again, whole, or stays as it was; numbers say which.

On one real moored, by TLS: roles, methods of a role, proxies and certificates change under
callers that are connected.
"""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from moorage.v1 import container_service_pb2 as service
from tests.real.deadlines import eventually
from tests.real.ports import unused_port
from tests.real.scraping import scraped
from tests.real.vouching import Authority, Pair, credentials
from tests.real.wire import CALL_WITHIN, Wire, refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

URI = "spiffe://example.org"
AS_DASH = (("x-forwarded-client-cert", f"URI={URI}/dash"),)
LISTS = """
[identities]
"spiffe://example.org/dash" = "viewer"
"""
DEPLOYS = """
trusted_proxies = ["spiffe://example.org/ingress"]

[identities]
"spiffe://example.org/dash" = "deployer"

[roles.deployer]
methods = ["moorage.v1.ContainerService/Prune"]
"""
BROKEN = """
[identities]
"spiffe://example.org/dash" = "deployr"
"""


class Secured:
    """A moored with a policy and certificates, and whoever comes to it by TLS."""

    def __init__(self, site: Site, place: Path) -> None:
        self.authority = Authority()
        self._place = place
        self._port, numbers = unused_port(), unused_port()
        self._numbers = f"127.0.0.1:{numbers}"
        self.bring(self.authority.server(lasts=timedelta(hours=1)))
        (place / "ca.crt").write_bytes(self.authority.certificate)
        self.say(LISTS)
        files = {"tls_cert": "tls.crt", "tls_key": "tls.key", "tls_client_ca": "ca.crt"}
        named = {name: str(place / file) for name, file in files.items()}
        settings = {**named, "policy": str(place / "policy"), "metrics_listen": self._numbers}
        there = ("--listen", f"tls://localhost:{self._port}")
        self.moored: Moored = site.moored(settings, flags=there)

    def say(self, policy: str) -> None:
        (self._place / "policy").write_text(policy)

    def bring(self, pair: Pair) -> None:
        pair.write(self._place / "tls.crt", self._place / "tls.key")

    def who(self, name: str) -> Wire:
        pair = self.authority.client(f"{URI}/{name}")
        return Wire(f"localhost:{self._port}", credentials=credentials(self.authority, pair))

    async def reload(self, of: str, outcome: str) -> None:
        """Send SIGHUP, and return once it is counted as that."""
        before = await self._counted(of, outcome)
        os.kill(self.moored.pid, signal.SIGHUP)
        await eventually(partial(self._exceeds, of, outcome, before), f"{of} are {outcome}")

    async def remaining(self) -> float:
        return (await self._scraped())["moored_certificate_remaining_seconds"]

    async def _exceeds(self, of: str, outcome: str, before: float) -> bool:
        return await self._counted(of, outcome) > before

    async def _counted(self, of: str, outcome: str) -> float:
        name = f'moored_reloads_total{{of="{of}",outcome="{outcome}"}}'
        return (await self._scraped())[name]

    async def _scraped(self) -> dict[str, float]:
        return await asyncio.to_thread(scraped, self._numbers)


@pytest.fixture(scope="module")
def secured(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    built = Secured(site, tmp_path_factory.mktemp("secured"))
    built.moored.start()
    yield built
    built.moored.stop()


def listing(wire: Wire, metadata: Sequence[tuple[str, str]] = ()) -> Any:
    request = service.ListRequest()
    return wire.containers.List(request, timeout=CALL_WITHIN, metadata=metadata)


def pruning(wire: Wire, metadata: Sequence[tuple[str, str]] = ()) -> Any:
    request = service.PruneRequest()
    return wire.containers.Prune(request, timeout=CALL_WITHIN, metadata=metadata)


async def test_roles_methods_and_proxies_change_under_callers_that_are_connected(
    secured: Secured,
) -> None:
    async with secured.who("dash") as dash, secured.who("ingress") as ingress:
        await listing(dash)
        assert (await refused(pruning(dash))).reason == "METHOD_NOT_ALLOWED"
        assert (await refused(pruning(ingress, AS_DASH))).reason == "NO_ROLE"
        secured.say(DEPLOYS)
        await secured.reload("policy", "taken")
        await pruning(dash)
        await pruning(ingress, AS_DASH)
        assert (await refused(listing(dash))).reason == "METHOD_NOT_ALLOWED"
        assert (await refused(pruning(ingress))).code is grpc.StatusCode.UNAUTHENTICATED
        secured.say(BROKEN)
        await secured.reload("policy", "refused")
        await pruning(dash)
        (line,) = [line for line in secured.moored.tail().splitlines() if "ERROR" in line]
        assert "the policy in force stays" in line
        secured.say(LISTS)
        await secured.reload("policy", "taken")
        await listing(dash)


async def test_new_certificates_are_taken_over_and_broken_ones_are_not(secured: Secured) -> None:
    assert 0 < await secured.remaining() <= timedelta(hours=1).total_seconds()
    secured.bring(Pair(b"", b""))
    await secured.reload("certificates", "refused")
    async with secured.who("dash") as dash:
        await listing(dash)
    assert await secured.remaining() <= timedelta(hours=1).total_seconds()
    secured.bring(secured.authority.server(lasts=timedelta(hours=3)))
    await secured.reload("certificates", "taken")
    assert await secured.remaining() > timedelta(hours=2).total_seconds()
    async with secured.who("dash") as dash:
        await listing(dash)


@pytest.mark.parametrize("spoiled", ["tls.crt", "policy"])
def test_a_moored_that_cannot_use_what_it_is_given_does_not_start(
    site: Site, tmp_path: Path, spoiled: str
) -> None:
    built = Secured(site, tmp_path)
    (tmp_path / spoiled).write_text("[nonsense")
    built.moored.launch()
    assert built.moored.await_end() == 1
    assert f"{tmp_path / spoiled}" in built.moored.tail()
    assert not built.moored.root.exists()
