"""What tests of real parts share, and the law that they leave the machine as they found it.

Tests marked ``real`` are looked at from outside before and after; one that left something
fails, and says what. Most share one containerd and one moored; tests that kill or break
something have a site or a moored of their own.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.real.site import Site, build_archive
from tests.real.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator
    from pathlib import Path

    from tests.real.moored import Moored
    from tests.real.runtime import GatedRuntime


def pytest_addoption(parser: pytest.Parser) -> None:
    soak = parser.getgroup("soak")
    soak.addoption("--soak-minutes", type=float, default=0, help="0: a few seconds")
    soak.addoption("--soak-seed", type=int, default=9)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak: takes minutes; only runs when -m names it")
    config.addinivalue_line(
        "markers", "interop: needs what `make interop` builds; only runs when -m names it"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    named = str(config.getoption("-m"))
    for marker in ("soak", "interop"):
        if marker in named:
            continue
        others = [item for item in items if item.get_closest_marker(marker) is not None]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]
    _longest_first(items)


def _longest_first(items: list[pytest.Item]) -> None:
    """Let a run end with many short files, so that nobody waits for a last long one."""
    tests = Counter(item.path for item in items)
    real = {item.path for item in items if item.get_closest_marker("real") is not None}
    items.sort(key=lambda item: (item.path not in real, -tests[item.path]))


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The busybox image, as a docker archive."""
    return build_archive(tmp_path_factory.mktemp("image") / "busybox.tar")


@pytest.fixture(scope="session")
def site(archive: Path) -> Iterator[Site]:
    """One containerd, and every moored that is not a test's own."""
    if os.geteuid() != 0:
        pytest.fail('real tests need root; the others run with -m "not real"')
    built = Site(archive)
    yield built
    assert built.close() == []


@pytest.fixture
def own_site(archive: Path) -> Iterator[Site]:
    """A containerd that the test may kill."""
    built = Site(archive)
    yield built
    assert built.close() == []


@pytest.fixture(scope="session")
def moored(site: Site) -> Moored:
    return site.start_moored()


@pytest.fixture
def own_moored(site: Site) -> Iterator[Moored]:
    """A moored that the test may kill. It ends well with the test, if it has not before."""
    daemon = site.start_moored()
    yield daemon
    if daemon.is_running():
        daemon.stop()


@pytest.fixture
async def wire(moored: Moored) -> AsyncIterator[Wire]:
    async with Wire(moored.address) as connected:
        yield connected


@pytest.fixture
async def own_wire(own_moored: Moored) -> AsyncIterator[Wire]:
    async with Wire(own_moored.address) as connected:
        yield connected


@pytest.fixture
def gate(site: Site) -> GatedRuntime:
    """The runtime called "gated", which a test may hold or break."""
    return site.gate


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the real test after which the machine is not as it was before."""
    if request.node.get_closest_marker("real") is None:
        yield
        return
    site: Site = request.getfixturevalue("site")
    # What a module's own daemon had went with it, after its last test.
    site.retire_stopped()
    before = site.seen()
    for daemon in site.daemons:
        daemon.mark()
    yield
    changes = site.changes_since(before)
    site.retire_stopped()
    if changes:
        pytest.fail("\n".join(["left something behind:", *changes]), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the daemons logged when a test fails."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        sites = {id(value): value for value in item.funcargs.values() if isinstance(value, Site)}
        for site in sites.values():
            report.sections += [(f"log of {d.instance}", d.tail()) for d in site.daemons]
    return report
