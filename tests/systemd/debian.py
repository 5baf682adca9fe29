"""A Debian with a real systemd as its first process, in namespaces of its own.

Its packages are fetched once, and kept below .cache; each that boots is a copy. It has no network
but loopback, and what it starts ends with it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.real.deadlines import until

if TYPE_CHECKING:
    from types import TracebackType

PROJECT: Final = Path(__file__).parents[2]
_CACHE: Final = PROJECT / ".cache" / "debian"
_BOOT: Final = Path(__file__).parent / "boot.sh"
_SUITE: Final = "bookworm"
_PACKAGES: Final = (
    *("systemd", "systemd-sysv", "dbus", "ca-certificates"),
    # What docs/install.md installs, so that it finds it there.
    *("containerd", "runc", "catatonit", "nftables", "iproute2", "python3-venv"),
)
_OF_THE_HOST: Final = (
    "etc/resolv.conf",
    "etc/hosts",
    "etc/pip.conf",
    "etc/ssl/certs/ca-certificates.crt",
)
"""What an installation needs to reach the package indexes as this host does."""
_FETCH_WITHIN: Final = 900.0
_BOOT_WITHIN: Final = 90.0
_CALL_WITHIN: Final = 90.0


def fetched() -> Path:
    """Return the root of a Debian that nobody booted yet."""
    stamp = _CACHE / "stamp"
    wanted = " ".join(_PACKAGES)
    if not (stamp.exists() and stamp.read_text() == wanted):
        shutil.rmtree(_CACHE, ignore_errors=True)
        _CACHE.mkdir(parents=True)
        words = ("debootstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}")
        _run(*words, _SUITE, str(_CACHE / "root"), _mirror(), within=_FETCH_WITHIN)
        stamp.write_text(wanted)
    return _CACHE / "root"


def _mirror() -> str:
    """Return where this host's own packages come from."""
    sites = _run("apt-get", "indextargets", "--format", "$(SITE) $(CODENAME)", within=_CALL_WITHIN)
    return next(line.split(" ")[0] for line in sites.splitlines() if line.endswith(f" {_SUITE}"))


class Debian:
    """A copy of its own, to be changed at will, and booted once."""

    def __init__(self, place: Path) -> None:
        self.root: Final = place / "root"
        self._name: Final = f"boot-{secrets.token_hex(3)}"
        self._log = place / "log"
        self._outer: subprocess.Popen[bytes] | None = None
        _run("cp", "--archive", str(fetched()), str(self.root), within=_FETCH_WITHIN)
        for path in _OF_THE_HOST:
            if (source := Path("/", path)).exists():
                shutil.copyfile(source, self.root / path)

    def before_boot(self, script: str) -> str:
        """Run a script in it with this host's network, before anything else runs."""
        mounted = (
            'mount -t proc proc "$0/proc" && exec chroot "$0" env SYSTEMD_OFFLINE=1 sh -ec "$1"'
        )
        words = ("unshare", "--mount", "sh", "-ec", mounted, str(self.root), script)
        return _run(*words, within=_FETCH_WITHIN)

    def __enter__(self) -> Debian:
        with self._log.open("ab") as log:
            self._outer = subprocess.Popen(
                ["bash", str(_BOOT), str(self.root), self._name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            until(self._is_up, "systemd has started all", within=_BOOT_WITHIN)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        assert self._outer is not None
        # Whatever runs in it ends with its first process.
        self._outer.kill()
        self._outer.wait(_CALL_WITHIN)
        until(self._is_gone, "its cgroups are removed", within=_BOOT_WITHIN)

    def call(self, *words: str, fails: bool = False) -> str:
        """Return what a command says in it."""
        entering = ("nsenter", f"--target={self._first}", "--all", "--root", "--wd")
        return _run(*entering, *words, within=_CALL_WITHIN, fails=fails)

    def shown(self, unit: str, of: str) -> str:
        """Return one property of a unit."""
        return self.call("systemctl", "show", unit, f"--property={of}", "--value").strip()

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def _first(self) -> int:
        """The pid here of its first process; 0 before there is one."""
        assert self._outer is not None
        listed = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text()
        return int(listed.split()[0]) if listed else 0

    def _is_up(self) -> bool:
        assert self._outer is not None
        assert self._outer.poll() is None, self.log()
        if not self._first:
            return False
        state = self.call("systemctl", "is-system-running", fails=True).strip()
        return state in ("running", "degraded")

    def _is_gone(self) -> bool:
        left = [path for path in Path("/sys/fs/cgroup").glob(f"**/{self._name}") if path.is_dir()]
        for top in left:
            for path, _, _ in os.walk(top, topdown=False):
                with suppress(OSError):
                    Path(path).rmdir()
        return not left


def _run(*words: str, within: float, fails: bool = False) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=within, check=False)
    if done.returncode and not fails:
        said = f"{done.stdout}{done.stderr}"
        raise AssertionError(f"{' '.join(words)} ended with {done.returncode}:\n{said}")
    return done.stdout
