"""Whether an OCI runtime works on this host, found out by letting it make a container.

A tiny one, which never executes anything: the runtime's checks of cgroups, namespaces and
limits all come before that, and its own words say what is wrong.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
import uuid
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from moored.containerd import programs
from moored.oci import cgroups
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from moored.containerd.values import Runtime

PROBE_LIMIT: Final = 10.0
"""Seconds for each of the runtime's commands."""
_VERSION: Final = re.compile(r"\S+ version (\S+)")
_LONGEST_REASON: Final = 500
_LINGER_LIMIT: Final = 1.0
_LINGER_PAUSE: Final = 0.005


async def probe(runtime: Runtime, *, scratch: Path | None = None) -> str:
    """Return "" when ``runtime`` works here, else why it does not, in one line.

    ``scratch`` is a directory for what the probe needs and removes again.
    """
    return await in_thread(partial(_probe, runtime, scratch))


async def version(runtime: Runtime) -> str:
    """Return what the runtime calls its version, or "" if it does not say."""
    return await in_thread(partial(_version, runtime))


def _probe(runtime: Runtime, scratch: Path | None) -> str:
    shim = _shim(runtime.kind)
    for program in (shim, runtime.binary):
        if programs.find(program) is None:
            package = "containerd" if program == shim else Path(program).name
            return f"there is no program {program!r} (Debian: apt-get install {package})"
    with tempfile.TemporaryDirectory(prefix="probe.", dir=scratch) as directory:
        return _try(_Command(runtime.binary, Path(directory)))


class _Command:
    """The runtime, with a state directory of its own and one container."""

    def __init__(self, binary: str, directory: Path) -> None:
        self._binary = programs.find(binary) or binary
        self._directory = directory
        self.name = f"moorage-probe-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.bundle = directory / "bundle"

    def run(self, *words: str) -> str:
        """Run it, and return "" or the last that it said."""
        log = self._directory / f"{words[0]}.log"
        said = self._directory / f"{words[0]}.out"
        command = [self._binary, "--root", str(self._directory / "state")]
        command += ["--log", str(log), "--log-format", "json", *words, self.name]
        with said.open("wb") as output:
            # Into a file: the container inherits it, and would hold a pipe open.
            try:
                done = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=programs.environment(),
                    timeout=PROBE_LIMIT,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return f"{words[0]} did not end in {PROBE_LIMIT:g} s"
            except OSError as error:
                return str(error)
        if done.returncode == 0:
            return ""
        return _logged(log) or _first_line(said) or f"{words[0]} ended with {done.returncode}"


def _try(command: _Command) -> str:
    _write_bundle(command.bundle, f"/{command.name}")
    try:
        why = command.run("create", "--bundle", str(command.bundle))
    finally:
        left = command.run("delete", "--force")
        _remove_cgroup(f"/{command.name}")
    return (why or left)[:_LONGEST_REASON]


def _remove_cgroup(cgroup: str) -> None:
    """Remove what the runtime left of it, which it does where the dead are slow to leave."""
    deadline = time.monotonic() + _LINGER_LIMIT
    while cgroups.alive(cgroup) and time.monotonic() < deadline:
        time.sleep(_LINGER_PAUSE)
    with suppress(OSError):
        cgroups.remove(cgroup)


def _write_bundle(bundle: Path, cgroup: str) -> None:
    rootfs = bundle / "rootfs"
    for name in ("dev", "proc"):
        (rootfs / name).mkdir(parents=True)
    program = rootfs / "program"  # looked for, and never executed
    program.touch()
    program.chmod(0o755)
    (bundle / "config.json").write_text(json.dumps(_spec(cgroup)))


def _spec(cgroup: str) -> dict[str, Any]:
    namespaces = ("pid", "ipc", "uts", "mount", "network")
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["/program"],
            "env": ["PATH=/"],
            "cwd": "/",
        },
        "root": {"path": "rootfs"},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": [{"type": kind} for kind in namespaces],
        },
    }


def _logged(log: Path) -> str:
    """Return the last error in the runtime's log."""
    with suppress(OSError):
        for line in reversed(log.read_text(errors="replace").splitlines()):
            with suppress(ValueError, AttributeError):
                if message := json.loads(line).get("msg"):
                    return _one_line(str(message))
    return ""


def _first_line(file: Path) -> str:
    lines = file.read_text(errors="replace").split("\n")
    return _one_line(next((line for line in lines if line.strip()), ""))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _shim(kind: str) -> str:
    """Return the program of a shim: ``io.containerd.runc.v2`` is containerd-shim-runc-v2."""
    return f"containerd-shim-{'-'.join(kind.split('.')[-2:])}"


def _version(runtime: Runtime) -> str:
    binary = programs.find(runtime.binary)
    if binary is None:
        return ""
    try:
        done = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=PROBE_LIMIT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = _VERSION.match(done.stdout)
    return match[1] if match else ""
