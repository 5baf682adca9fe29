"""What tests of Envoy share: a moored on the loopback, certificates, and an Envoy in front."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from tests.envoy.process import Envoy
from tests.envoy.sample import Bootstrap, Places
from tests.real.certificates import Authority
from tests.real.ports import unused_port
from tests.real.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tests.real.certificates import Pair
    from tests.real.moored import Moored
    from tests.real.site import Site


FRONT: Final = "spiffe://mesh/front"
_POLICY: Final = f"""\
trusted_proxies = ["{FRONT}"]
[identities]
"spiffe://mesh/operators/*" = "operator"
"spiffe://mesh/viewers/*" = "viewer"
"""


@dataclass(frozen=True)
class Trust:
    """Who certifies whom between callers, Envoy and moored."""

    authority: Authority
    front: Pair
    """Envoy's: towards its callers, and towards moored, which believes what it says of them."""
    moored: Pair
    caller: Pair
    """An operator's."""
    viewer: Pair

    @classmethod
    def build(cls, directory: Path) -> Trust:
        authority = Authority(directory, "mesh")
        return cls(
            authority,
            front=authority.issue("front", uri=FRONT),
            moored=authority.issue("moored"),
            caller=authority.issue("caller", uri="spiffe://mesh/operators/one"),
            viewer=authority.issue("viewer", uri="spiffe://mesh/viewers/one"),
        )

    def settings(self, policy: Path) -> dict[str, str]:
        """Return those of a moored that everybody here knows."""
        policy.write_text(_POLICY)
        return {
            "tls_cert": str(self.moored.certificate),
            "tls_key": str(self.moored.key),
            "tls_client_ca": str(self.authority.certificate),
            "policy": str(policy),
        }


class Mesh:
    """Envoys in front of one moored, or of each other."""

    def __init__(self, directory: Path, trust: Trust, upstream: tuple[str, int]) -> None:
        self.trust = trust
        self.upstream = upstream
        """Where moored listens."""
        self._directory = directory

    @contextmanager
    def front(
        self,
        change: Callable[[Bootstrap], None] | None = None,
        *,
        to: Envoy | None = None,
        by: tuple[str, int] | None = None,
        collector: int = 1,
    ) -> Iterator[Envoy]:
        """Run the sample, with what a test changes of it.

        ``to``: in front of that one, and not of moored. ``by``: through what listens there.
        """
        places = Places(
            own=self.trust.front,
            authority=self.trust.authority.certificate,
            upstream=("127.0.0.1", to.port) if to else by or self.upstream,
            collector=collector,
        )
        bootstrap = Bootstrap(places)
        if change is not None:
            change(bootstrap)
        number = len(list(self._directory.glob("envoy*")))
        envoy = Envoy(self._directory / f"envoy{number}", bootstrap.tree)
        try:
            yield envoy
        finally:
            envoy.stop()

    def wire(self, envoy: Envoy, pair: Pair | None = None) -> Wire:
        """Connect as somebody with a certificate: the operator, unless another is given."""
        credentials = self.trust.authority.credentials(pair or self.trust.caller)
        return Wire(envoy.address, credentials=credentials)


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return Trust.build(tmp_path_factory.mktemp("trust"))


@pytest.fixture(scope="session")
def meshed(site: Site, trust: Trust) -> Moored:
    """The moored behind most Envoys."""
    return on_loopback(site, trust)


@pytest.fixture
def own_moored_behind(site: Site, trust: Trust) -> Iterator[Moored]:
    """One that the test may stop."""
    daemon = on_loopback(site, trust)
    yield daemon
    if daemon.is_running():
        daemon.stop()


def on_loopback(site: Site, trust: Trust, *, spans_to: str = "") -> Moored:
    """Return a moored that serves beside its socket on a port, by TLS."""
    policy = site.directory / f"policy-{secrets.token_hex(3)}.toml"
    listen = ("--listen", f"tls://127.0.0.1:{unused_port()}")
    daemon = site.moored(trust.settings(policy), flags=listen)
    daemon.spans_to = spans_to
    daemon.start()
    daemon.import_image(site.archive)
    return daemon


def behind(moored: Moored, directory: Path, trust: Trust) -> Mesh:
    """Return what can be put in front of it."""
    host, _, port = moored.command[-1].removeprefix("tls://").rpartition(":")
    return Mesh(directory, trust, (host, int(port)))


@pytest.fixture
def mesh(meshed: Moored, trust: Trust, tmp_path: Path) -> Mesh:
    return behind(meshed, tmp_path, trust)


@pytest.fixture
def own_mesh(own_moored_behind: Moored, trust: Trust, tmp_path: Path) -> Mesh:
    return behind(own_moored_behind, tmp_path, trust)


@pytest.fixture(scope="session")
def plain(
    meshed: Moored, trust: Trust, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Mesh, Envoy]]:
    """The sample as it is, for all tests that only call through it."""
    mesh = behind(meshed, tmp_path_factory.mktemp("plain"), trust)
    with mesh.front() as envoy:
        yield mesh, envoy


@pytest.fixture
def front(plain: tuple[Mesh, Envoy]) -> Envoy:
    return plain[1]


@pytest.fixture
async def through(plain: tuple[Mesh, Envoy]) -> AsyncIterator[Wire]:
    """The wire through Envoy."""
    mesh, envoy = plain
    async with mesh.wire(envoy) as connected:
        yield connected
