"""What tests of Envoy share: a moored on the loopback, certificates, and an Envoy in front."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

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


@dataclass(frozen=True)
class Trust:
    """Who certifies whom between callers, Envoy and moored."""

    authority: Authority
    front: Pair
    caller: Pair

    @classmethod
    def build(cls, directory: Path) -> Trust:
        authority = Authority(directory, "mesh")
        return cls(
            authority,
            front=authority.issue("front", uri="spiffe://mesh/front"),
            caller=authority.issue("caller", uri="spiffe://mesh/operator"),
        )


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
        if to is None:
            bootstrap.speak_plainly()
        if change is not None:
            change(bootstrap)
        number = len(list(self._directory.glob("envoy*")))
        envoy = Envoy(self._directory / f"envoy{number}", bootstrap.tree)
        try:
            yield envoy
        finally:
            envoy.stop()

    def wire(self, envoy: Envoy) -> Wire:
        """Connect as a caller with a certificate."""
        credentials = self.trust.authority.credentials(self.trust.caller)
        return Wire(envoy.address, credentials=credentials)


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return Trust.build(tmp_path_factory.mktemp("trust"))


@pytest.fixture(scope="session")
def meshed(site: Site) -> Moored:
    """The moored behind most Envoys."""
    return on_loopback(site)


@pytest.fixture
def own_moored_behind(site: Site) -> Iterator[Moored]:
    """One that the test may stop."""
    daemon = on_loopback(site)
    yield daemon
    if daemon.is_running():
        daemon.stop()


def on_loopback(site: Site, *, spans_to: str = "") -> Moored:
    """Return a moored that serves beside its socket on a port."""
    daemon = site.moored(flags=("--listen", f"tcp://127.0.0.1:{unused_port()}"))
    daemon.spans_to = spans_to
    daemon.start()
    daemon.import_image(site.archive)
    return daemon


def behind(moored: Moored, directory: Path, trust: Trust) -> Mesh:
    """Return what can be put in front of it."""
    host, _, port = moored.command[-1].removeprefix("tcp://").rpartition(":")
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
