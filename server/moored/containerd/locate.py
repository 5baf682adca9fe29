"""Which containerd to use: the system's, one of our own, or the one that was named.

Law: a root stays with the containerd that it began with. What another one holds would look
lost; so ``auto`` refuses to start rather than to move on by itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.containerd import places, sockets, versions
from moored.containerd.connection import Connection
from moored.containerd.doubts import PROMPT
from moored.containerd.embedded import START_LIMIT, Embedded
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from moored.containerd.places import Places

SYSTEM_ADDRESS: Final = "/run/containerd/containerd.sock"
ANSWER_LIMIT: Final = 10.0
_CHOICE: Final = "containerd-address"
_EMBEDDED: Final = "embedded"


@dataclass(frozen=True)
class Located:
    address: str
    """A path of a unix socket."""
    embedded: bool
    version: str
    places: Places
    silent: bool = False
    """Whether its first answer was long in coming."""


async def locate(
    setting: str,
    root: Path,
    state: Path,
    *,
    system: str = SYSTEM_ADDRESS,
    within: float = ANSWER_LIMIT,
) -> Located:
    """Return the containerd that ``setting`` means: auto, embedded, or an address.

    Raises SetupRefused for one that does not answer, or that we cannot talk to.
    """
    own = Embedded(root, state)
    choice = root / _CHOICE
    address = await in_thread(lambda: _address(setting, own, choice, system))
    if address == own.address:
        await own.start(START_LIMIT)
    connection = Connection(address, namespace="moorage")
    try:
        asked = time.monotonic()
        version = await _version(connection, within)
        silent = time.monotonic() - asked > PROMPT
        versions.check(version)
        embedded = address == own.address
        found = own.places if embedded else await places.find(connection)
    finally:
        await connection.close()
    await in_thread(lambda: _note(choice, _EMBEDDED if embedded else address))
    return Located(address, embedded, version, found, silent)


async def find(
    setting: str, root: Path, state: Path, *, system: str = SYSTEM_ADDRESS
) -> tuple[str, Places | None]:
    """Return the address that ``setting`` means, and where that one keeps its files.

    Nothing is started, noted or waited for; None: it does not run, and may keep them anywhere.
    """
    own = Embedded(root, state)
    choice = root / _CHOICE

    def look() -> tuple[str, Places | None]:
        named = setting not in ("auto", "embedded")
        address = setting.removeprefix("unix://")
        if not named:
            address = _address(setting, own, choice, system)
        if address == own.address:
            return address, own.places
        return address, places.told(address) if sockets.listened_to(address) else None

    return await in_thread(look)


def _address(setting: str, own: Embedded, choice: Path, system: str) -> str:
    match setting:
        case "embedded":
            return own.address
        case "auto":
            before = _before(choice)
            if before not in ("", _EMBEDDED):
                return before
            theirs = not before and sockets.listened_to(system)
            return system if theirs else own.address
        case _:
            return _path(setting)


def _path(setting: str) -> str:
    path = setting.removeprefix("unix://")
    if not path.startswith("/"):
        raise errors.SetupRefused(
            f"cannot use containerd {setting!r}: it must be auto, embedded,"
            " or the absolute path of a socket"
        )
    sockets.check(path)
    if not Path(path).exists():
        raise errors.SetupRefused(
            f"cannot use containerd at {path}: there is no such socket; start it, or choose another"
        )
    return path


async def _version(connection: Connection, within: float) -> str:
    try:
        return await versions.server_version(connection, within=within)
    except errors.RuntimeUnreachable as error:
        raise errors.SetupRefused(
            f"cannot use containerd at {connection.address}: it has not answered in"
            f" {within:g} s; start it, or choose another one"
        ) from error
    except errors.RuntimeRefused as error:
        raise errors.SetupRefused(
            f"cannot use containerd at {connection.address}: {error}"
        ) from error


def _before(choice: Path) -> str:
    """Return what was used with this root before: ours, an address, or nothing yet."""
    try:
        return choice.read_text().strip()
    except FileNotFoundError:
        return ""


def _note(choice: Path, used: str) -> None:
    choice.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    fresh = choice.with_name(f"{choice.name}.new")
    fresh.write_text(f"{used}\n")
    fresh.replace(choice)
