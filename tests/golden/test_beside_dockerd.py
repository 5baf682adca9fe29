"""The law: what a request becomes here is what it becomes in dockerd, but for what is listed.

docs/beside-docker.md has each difference with its reason. One that is not there fails, and so
does one that is there and was not seen: the list is the truth, whole and current.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import container_service_pb2
from moorage.v1.security_pb2 import IdMapping
from tests.golden.comparison import differences
from tests.golden.dockerd import Dockerd
from tests.golden.requests import PAIRS
from tests.real.wire import Wire, refused

if TYPE_CHECKING:
    from tests.golden.requests import Pair
    from tests.real.site import Site

pytestmark = [
    pytest.mark.real,
    pytest.mark.soak,
    pytest.mark.skipif(shutil.which("dockerd") is None, reason="dockerd is not installed"),
]
_PAGE, _, _MAPPED = (
    (Path(__file__).parents[2] / "docs" / "beside-docker.md")
    .read_text()
    .partition("## With a user namespace")
)
_ALWAYS, _, _SOMETIMES = _PAGE.partition("## On some hosts")
_ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
SEEN = _ROW.findall(_ALWAYS)
LISTED = [*SEEN, *_ROW.findall(_SOMETIMES)]
"""Patterns of the paths that differ, and those of them that differ everywhere."""
MAPPED = _ROW.findall(_MAPPED)
"""Those that differ besides with a user namespace."""
IDS = IdMapping(inside=0, host=300000, size=65536)
APART = frozenset(
    {
        *("privileged", "a device", "a device elsewhere", "a rule for devices", "domain name"),
        *("the host's network", "the host's IPC", "the host's processes", "the host's name"),
    }
)
"""The requests that we do not take with a user namespace."""
POLICY = """
[roles.local]
host_network = true
host_ipc = true
host_pid = true
host_uts = true
privileged = true
capabilities = ["ALL"]
devices = ["*"]
device_rules = true
seccomp = "unconfined"
system_paths = true
id_ranges = ["300000:65536"]
"""


async def test_every_request_becomes_the_same_but_for_what_is_listed(
    site: Site, archive: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    daemon = site.start_moored({"policy": str(policy)})
    seen: dict[str, str] = {}
    with Dockerd(site.directory / "dockerd", Path(site.containerd.address.socket)) as dockerd:
        dockerd.load(archive)
        theirs = [dockerd.runtime_spec(pair.docker) for pair in PAIRS]
    async with Wire(daemon.address) as wire:
        for pair, their in zip(PAIRS, theirs, strict=True):
            for path, how in differences(their, await _ours(wire, pair)):
                seen.setdefault(path, f"{pair.name}: {path}: {how}")
    daemon.stop()
    unlisted = [first for path, first in seen.items() if not any(_fits(path, p) for p in LISTED)]
    assert unlisted == []
    assert [p for p in SEEN if not any(_fits(path, p) for path in seen)] == []


async def test_so_it_does_with_a_user_namespace_of_the_same_ids(
    site: Site, archive: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    daemon = site.start_moored({"policy": str(policy)})
    pairs = [pair for pair in PAIRS if pair.name not in APART]
    home, containerd = site.directory / "mapped", Path(site.containerd.address.socket)
    with Dockerd(home, containerd, remapped=f"{IDS.host}:{IDS.size}") as dockerd:
        dockerd.load(archive)
        theirs = [dockerd.runtime_spec(pair.docker) for pair in pairs]
    seen: dict[str, str] = {}
    own = {"user_namespace": "private", "uid_mappings": [IDS]}
    async with Wire(daemon.address) as wire:
        for pair, their in zip(pairs, theirs, strict=True):
            ours = await _ours(wire, replace(pair, ours={**pair.ours, **own}))
            for path, how in differences(their, ours):
                seen.setdefault(path, f"{pair.name}: {path}: {how}")
        for pair in (pair for pair in PAIRS if pair.name in APART):
            refusal = await refused(_ours(wire, replace(pair, ours={**pair.ours, **own})))
            assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    daemon.stop()
    listed = [*LISTED, *MAPPED]
    assert [how for path, how in seen.items() if not any(_fits(path, p) for p in listed)] == []
    assert [p for p in MAPPED if not any(_fits(path, p) for path in seen)] == []


async def _ours(wire: Wire, pair: Pair) -> dict[str, object]:
    """Return the runtime spec as a start would have it: a user by number needs no look."""
    request = container_service_pb2.CreateRequest(spec=pair.spec, validate_only=True)
    answer = await wire.containers.Create(request, timeout=60, wait_for_ready=True)
    spec: dict[str, object] = json.loads(answer.plan.runtime_spec)
    return spec


def _fits(path: str, pattern: str) -> bool:
    return fnmatchcase(path, pattern.replace("[", "[[]"))
