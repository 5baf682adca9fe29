"""A plugin that does as it is told, and keeps what it was given.

One program under any number of names. What each has added lies in ``world`` until it deletes
it, and every call lies in ``calls``: nothing left means that ``world`` is empty.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VERSIONS: Final = ("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")

_PROGRAM: Final = """\
#!{python} -SE
import json, os, sys, time
home = {home!r}
name = os.path.basename(sys.argv[0])
command = os.environ["CNI_COMMAND"]
given = sys.stdin.read()
if not given:
    sys.exit(3)
document = json.loads(given)
variables = {{k: v for k, v in os.environ.items() if k.startswith("CNI_")}}
with open(home + "/calls", "a") as calls:
    call = dict(plugin=name, command=command, variables=variables, document=document,
                environment=dict(os.environ), pid=os.getpid(), session=os.getsid(0))
    calls.write(json.dumps(call) + "\\n")
with open(home + "/orders") as orders:
    order = json.load(orders).get(name + " " + command, "obey")
trace = "/".join((home, "world", name + "," + os.environ.get("CNI_CONTAINERID", "") + ","
                  + os.environ.get("CNI_IFNAME", "")))
if command == "VERSION":
    told = order if isinstance(order, list) else {versions!r}
    print(json.dumps(dict(cniVersion="1.0.0", supportedVersions=told)))
    sys.exit(0)
if command == "ADD":
    open(trace, "w").close()
if order == "hang":
    import subprocess
    child = subprocess.Popen(["sleep", "1000"])
    with open(home + "/hangs", "w") as hangs:
        hangs.write("%d %d" % (os.getpid(), child.pid))
    time.sleep(1000)
if order == "fail":
    print(json.dumps(dict(cniVersion=document["cniVersion"], code=7, msg="no such luck",
                          details="the stars are wrong")))
    sys.exit(1)
if order == "later":
    print(json.dumps(dict(code=11, msg="try again later")))
    sys.exit(1)
if order == "crash":
    print("panic: all is lost", file=sys.stderr)
    os.kill(os.getpid(), 11)
if order == "huge":
    sys.stdout.write("x" * (4 << 20))
    sys.exit(0)
if order == "babble":
    print("hello")
    sys.exit(0)
if order == "leave a child":
    import subprocess
    subprocess.Popen(["sleep", "1000"], start_new_session=True)
if command == "DEL":
    if os.path.exists(trace):
        os.remove(trace)
    sys.exit(0)
if command == "ADD":
    result = document.get("prevResult") or dict(
        interfaces=[dict(name="veth0"), dict(name=os.environ["CNI_IFNAME"], mac="02:00:00:00:00:01",
                    sandbox=os.environ["CNI_NETNS"])],
        ips=[dict(address="10.9.0.2/24", gateway="10.9.0.1", interface=1)],
        routes=[dict(dst="0.0.0.0/0")], dns=dict(nameservers=["10.9.0.53"], search=["a.test"]))
    result["cniVersion"] = "0.4.0" if order == "lie" else document["cniVersion"]
    result["passed"] = result.get("passed", []) + [name]
    print(json.dumps(result))
"""


@dataclass(frozen=True)
class Called:
    """One call of the plugin, as it saw it."""

    plugin: str
    command: str
    variables: Mapping[str, str]
    document: Mapping[str, Any]
    environment: Mapping[str, str]
    pid: int
    session: int

    @property
    def story(self) -> str:
        return f"{self.command} {self.plugin}"


class Scripted:
    """``order`` says what a plugin does at a command, ``calls`` what was asked of whom."""

    def __init__(self, home: Path, *names: str) -> None:
        self.home = home
        self.programs = home / "bin"
        for directory in (self.programs, home / "world"):
            directory.mkdir(parents=True)
        text = _PROGRAM.format(python=sys.executable, home=str(home), versions=VERSIONS)
        for name in names:
            program = self.programs / name
            program.write_text(text)
            program.chmod(0o755)
        self._orders: dict[str, object] = {}
        self._write()

    def order(self, plugin: str, command: str, what: object) -> None:
        self._orders[f"{plugin} {command}"] = what
        self._write()

    def obey(self) -> None:
        self._orders.clear()
        self._write()

    def forget(self) -> None:
        """Keep nothing of what was asked until now."""
        for name in ("calls", "hangs"):
            (self.home / name).unlink(missing_ok=True)

    @property
    def calls(self) -> list[Called]:
        file = self.home / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [Called(**json.loads(line)) for line in lines]

    @property
    def story(self) -> list[str]:
        return [call.story for call in self.calls]

    @property
    def world(self) -> list[str]:
        """What was added and not deleted: plugin, container and interface."""
        return sorted(path.name for path in (self.home / "world").iterdir())

    def hanging(self) -> tuple[int, ...]:
        """Return the pids of a plugin that hangs and of its child, once both are there."""
        file = self.home / "hangs"
        pids = tuple(int(pid) for pid in file.read_text().split()) if file.exists() else ()
        return pids if len(pids) == 2 else ()

    def _write(self) -> None:
        fresh = self.home / "orders.new"
        fresh.write_text(json.dumps(self._orders))
        fresh.replace(self.home / "orders")


def conflist(name: str, *types: str, version: str = "1.0.0", **more: Any) -> dict[str, Any]:
    """A network of plugins that are told nothing but their type."""
    plugins = [{"type": kind} for kind in types]
    return {"cniVersion": version, "name": name, "plugins": plugins, **more}
