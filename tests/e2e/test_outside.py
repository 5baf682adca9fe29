"""The outside look sees what a container leaves, or no other test here would mean anything.

What it asks containerd for is what ``ctr``, which is not ours, prints.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.outside import containerd as seen
from tests.outside import kernel
from tests.outside.world import difference

if TYPE_CHECKING:
    from pathlib import Path

    from tests.real.site import Site

pytestmark = pytest.mark.real

RUN = "deadbeef.1"


@pytest.fixture
def root_filesystem(tmp_path: Path) -> Path:
    found = shutil.which("busybox")
    assert found is not None
    (tmp_path / "bin").mkdir()
    shutil.copy(found, tmp_path / "bin" / "busybox")
    return tmp_path


def test_a_container_that_somebody_started_shows_in_every_kind_it_touches(
    own_site: Site, root_filesystem: Path
) -> None:
    instance = own_site.moored().instance
    before = own_site.look()
    address = own_site.containerd.address
    command = ("/bin/busybox", "sleep", "1000")
    seen.ctr(
        address, instance, "run", "--detach", "--null-io", "--rootfs",
        str(root_filesystem), RUN, *command,
    )  # fmt: skip
    during = own_site.look()
    printed = {kind: _printed(own_site, instance, kind) for kind in ("tasks", "containers")}
    touched = {line.split(":")[0] for line in difference(before, during)}
    seen.ctr(address, instance, "tasks", "kill", "--signal", "SIGKILL", RUN)
    seen.ctr(address, instance, "tasks", "delete", "--force", RUN)
    seen.ctr(address, instance, "containers", "delete", RUN)
    assert printed == {"tasks": {RUN}, "containers": {RUN}}
    assert during.tasks == {f"{instance} {RUN} RUNNING"}
    assert during.containers == {f"{instance} {RUN}"}
    for hierarchy in kernel.hierarchies():  # there was no moored to take it along
        (hierarchy / instance).rmdir()
    assert touched == {
        *("tasks", "containers", "bundles", "runtime_states", "shims", "shim_sockets"),
        *("processes", "cgroups", "net_namespaces"),
    }
    assert own_site.changes_since(before) == []


def test_what_lies_about_without_a_container_shows_too(own_site: Site) -> None:
    instance = own_site.moored().instance
    before = own_site.look()
    address, home = own_site.containerd.address, own_site.directory / instance
    mounted = home / "state" / "runs" / RUN
    mounted.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", mounted], check=True)
    seen.ctr(address, instance, "leases", "create", "--id", "lease")
    seen.ctr(address, instance, "snapshots", "prepare", "layer")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(home / "s.sock"))
        listening.listen()
        during = own_site.look()
        touched = {line.split(":")[0] for line in difference(before, during)}
    printed = {kind: _printed(own_site, instance, kind) for kind in ("leases", "snapshots")}
    subprocess.run(["umount", mounted], check=True)
    mounted.rmdir()
    seen.ctr(address, instance, "snapshots", "rm", "layer")
    seen.ctr(address, instance, "leases", "rm", "lease")
    assert printed == {"leases": {"lease"}, "snapshots": {"layer"}}
    assert during.leases == {f"{instance} lease"}
    assert during.layers == {f"{instance} layer"}
    assert touched == {"files", "mounts", "leases", "layers", "sockets"}
    assert own_site.changes_since(before) == []


def _printed(site: Site, instance: str, kind: str) -> set[str]:
    """Return the names that ``ctr`` prints: its table's first column, below the heading."""
    table = seen.ctr(site.containerd.address, instance, kind, "ls")
    return {row.split()[0] for row in table.splitlines()[1:] if row.strip()}
