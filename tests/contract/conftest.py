"""The two subjects of every case: the fake, and a containerd of these tests alone.

The real one lives as long as the session, in a short directory of its own. It is looked at
from outside before and after each of its cases, and removed with all that it ever held.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.contract.subjects import Fake, Real, Subject, remove_cgroups
from tests.fakes.containerd import FakeContainerd
from tests.outside.world import Place, look, settled
from tests.real.containerd import Containerd

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_SETTLE_WITHIN = 15.0


@pytest.fixture(scope="session")
def instance() -> str:
    """The cases' namespace, and the parent of their cgroups."""
    return f"contract-{secrets.token_hex(3)}"


@pytest.fixture(scope="session")
def containerd(instance: str) -> Iterator[Containerd]:
    if os.geteuid() != 0:
        pytest.fail('real tests need root; the others run with -m "not real"')
    daemon = Containerd(Path(tempfile.mkdtemp(prefix="mgc.", dir="/tmp")))
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.dismantle([instance])
        remove_cgroups(instance)


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest, instance: str) -> Iterator[None]:
    """Fail the real case after which this containerd is not as it was before."""
    if request.node.get_closest_marker("real") is None:
        yield
        return
    daemon: Containerd = request.getfixturevalue("containerd")
    directory = daemon.address.root.parent
    place = Place(daemon.address, directory, frozenset({instance}), ended=frozenset({instance}))
    before = look(place)
    yield
    _, changes = settled(before, place, within=_SETTLE_WITHIN)
    assert changes == [], "the case left something behind"


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.real)])
async def subject(
    request: pytest.FixtureRequest, instance: str, tmp_path: Path
) -> AsyncIterator[Subject]:
    async with AsyncExitStack() as stack:
        chosen: Subject
        if request.param == "fake":
            fake = await stack.enter_async_context(FakeContainerd.serving(tmp_path / "c.sock"))
            chosen = Fake(fake, instance, tmp_path)
        else:
            chosen = Real(request.getfixturevalue("containerd"), instance, tmp_path)
        stack.push_async_callback(chosen.tidy)
        await chosen.lay_base()
        yield chosen
