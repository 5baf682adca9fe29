"""Everything that some tests start: one private containerd, and any number of moored on it.

A site lies in one short directory, so that sockets fit, and knows where to look for what was
left. Closing it looks, then removes it all, and says what it had to remove.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.outside import kernel, processes
from tests.outside.listing import listing
from tests.outside.world import Place, World, look, settled
from tests.real import subnets
from tests.real.containerd import Containerd
from tests.real.moored import Moored
from tests.real.runtime import GatedRuntime

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Network

BUILDER: Final = Path(__file__).parents[2] / "demo" / "busybox_image.py"
SETTLE_WITHIN: Final = 15.0
"""Shims end after their last answer, and nobody says when."""
_BUILD_WITHIN: Final = 60.0
_UMOUNT_WITHIN: Final = 10.0


def build_archive(path: Path, *options: str) -> Path:
    """Build the busybox image at ``path``, as anybody would: by the script."""
    command = [sys.executable, str(BUILDER), str(path), *options]
    subprocess.run(command, check=True, timeout=_BUILD_WITHIN, capture_output=True)
    return path


class Site:
    def __init__(self, archive: Path) -> None:
        self.directory: Final = Path(tempfile.mkdtemp(prefix="mg.", dir="/tmp"))
        # As where a system has it: a container's own root finds its way to its bundle.
        self.directory.chmod(0o711)
        place = self.directory / "c"
        place.mkdir()
        self.containerd: Final = Containerd(place)
        self.containerd.start()
        self.gate: Final = GatedRuntime(self.directory / "gate")
        self.daemons: Final[list[Moored]] = []
        self.archive: Final = archive
        self._retired: set[str] = set()
        self._last: World | None = None
        self._before: Final = self.look()

    def moored(
        self,
        settings: Mapping[str, str] | None = None,
        *,
        instance: str = "",
        flags: tuple[str, ...] = (),
        host_network: str = "",
        through: str = "",
    ) -> Moored:
        """Return a moored that was not started yet.

        ``through``: the socket by which it reaches containerd; empty is containerd's own.
        """
        name = instance or f"t{secrets.token_hex(4)}"
        runtimes = f"runc=runc,gated={self.gate.binary}"
        daemon = Moored(
            self.directory / name,
            containerd=through or self.containerd.address.socket,
            instance=name,
            settings={
                "runtimes": runtimes,
                # What is tested is said by the test; and the bridge takes its time to go.
                "network": "none",
                "bridge_subnet": str(subnets.unused()),
                "bridge_subnet_ipv6": str(subnets.unused_ipv6()),
                **(settings or {}),
            },
            flags=flags,
            host_network=host_network,
        )
        self.daemons.append(daemon)
        self._last = None
        return daemon

    def subnet(self, prefix: int = 26) -> IPv4Network:
        """Return a subnet that nobody on this machine has."""
        return subnets.unused(prefix)

    def start_moored(
        self,
        settings: Mapping[str, str] | None = None,
        *,
        instance: str = "",
        host_network: str = "",
        through: str = "",
    ) -> Moored:
        """Return a moored that serves, with the busybox image in it."""
        daemon = self.moored(
            settings, instance=instance, host_network=host_network, through=through
        )
        daemon.start()
        daemon.import_image(self.archive)
        return daemon

    def place(self, *, ever: bool = False) -> Place:
        """Return where to look: at whoever runs, or at whoever there ever was."""
        with listing(self.containerd.address.socket) as asked:
            known = asked.namespaces()
        own = frozenset(daemon.instance for daemon in self.daemons)
        if ever:
            return Place(self.containerd.address, self.directory, known | own, ended=own)
        return Place(self.containerd.address, self.directory, (known | own) - self._retired)

    def look(self) -> World:
        return look(self.place())

    def seen(self) -> World:
        """Return what is there; between two tests that is what the last look saw."""
        if self._last is None:
            self._last = self.look()
        return self._last

    def changes_since(self, before: World) -> list[str]:
        """Return what is not as it was, once it has had time to settle."""
        self._last, changes = settled(before, self.place(), within=SETTLE_WITHIN)
        return changes

    def retire_stopped(self) -> None:
        """Look no more at instances whose moored has ended: they were looked at."""
        ended = {d.instance for d in self.daemons if not d.is_running()}
        if not ended <= self._retired:
            self._retired |= ended
            self._last = None

    def close(self) -> list[str]:
        """End everything, and return what the daemons and their containers left behind."""
        try:
            self.containerd.recover()
            for daemon in self.daemons:
                if daemon.is_running():
                    daemon.stop()
            return settled(self._before, self.place(ever=True), within=SETTLE_WITHIN)[1]
        finally:
            self.demolish()

    def demolish(self) -> None:
        """Remove all of it, whatever state it is in."""
        for daemon in self.daemons:
            if daemon.is_running():
                daemon.kill()
        self.gate.close()
        self.containerd.dismantle(daemon.instance for daemon in self.daemons)
        for point in sorted(kernel.mounts(self.directory), reverse=True):
            subprocess.run(["umount", "--lazy", point], check=True, timeout=_UMOUNT_WITHIN)
        shutil.rmtree(self.directory)
        if left := processes.naming(str(self.directory)):
            raise RuntimeError(f"cannot end {sorted(left)} of {self.directory}")
