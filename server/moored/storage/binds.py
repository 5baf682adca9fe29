"""Sources on the host that containers may have, and what became of them. Blocking: for threads.

Laws: a source counts by what it is once every link is followed; it is held open from the look at
it until a container has it, and what a container has is compared with it before the container's
program runs. So whoever changes names in between gets nothing but a start that fails.
"""

from __future__ import annotations

import os
import posixpath
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moored.model.mounts import Mount, Propagation
from moored.storage import kernel
from moored.storage.mount_table import mounts_of, tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from moored.model.identity import RunId

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MADE_BY: Final = "trusted.moorage.made"
"""The run that made a directory."""


class NotAllowed(Exception):
    """The policy keeps it from containers; says why."""


class Gone(Exception):
    """The process that was to be looked at has ended."""


class NotPossible(Exception):
    """It is not there, or not as it has to be; says why, and which part of the mount that is."""

    def __init__(self, why: str, part: str = "source") -> None:
        super().__init__(why)
        self.part = part


@dataclass(frozen=True)
class Source:
    """A source as it was found: its path without links, held open."""

    path: str
    descriptor: int

    def close(self) -> None:
        os.close(self.descriptor)


class Binds:
    def __init__(self, roots: Callable[[str], Sequence[str]]) -> None:
        """``roots`` are those of a role."""
        self._roots: Final = roots

    def check(self, mount: Mount, role: str) -> None:
        """Raise if ``mount`` is not allowed, or not possible now. Makes nothing."""
        self._look(mount, self._roots(role), None).close()

    def hold(self, mount: Mount, role: str, run: RunId) -> Source:
        """Open the source of ``mount`` for ``run``, and make it if that was asked for."""
        return self._look(mount, self._roots(role), run)

    def _look(self, mount: Mount, roots: Sequence[str], run: RunId | None) -> Source:
        where, missing = self._nearest(mount.source)
        try:
            path = _allowed(where, mount.source, roots)
            _refuse_missing(mount, missing)
            for part in missing if run else ():
                where, above = _made(where, part, run or ""), where
                os.close(above)
                path = _allowed(where, mount.source, roots)
            _check_propagation(mount, where)
        except OSError as error:
            os.close(where)
            raise NotPossible(f"{mount.source!r} cannot be made: {error.strerror}") from error
        except BaseException:
            os.close(where)
            raise
        return Source(path, where)

    def _nearest(self, source: str) -> tuple[int, list[str]]:
        """Open what of a path is there, and return which parts are not."""
        path, missing = source, list[str]()
        while True:
            try:
                found = kernel.open_path(path, os.O_PATH, kernel.NO_MAGIC_LINKS)
            except (FileNotFoundError, NotADirectoryError):
                path, _, last = path.rstrip("/").rpartition("/")
                path = path or "/"
                missing.insert(0, last)
            except OSError as error:
                raise NotAllowed(f"cannot be looked at: {error.strerror}") from error
            else:
                return found, missing


def _allowed(descriptor: int, source: str, roots: Sequence[str]) -> str:
    """Return where an open file is, or raise if that is outside of every root."""
    path = _place(descriptor)
    if any(_is_below(path, root) for root in _real(roots)):
        return path
    known = ", ".join(roots) or "empty"
    raise NotAllowed(f"{source!r} is outside of the server's bind_roots, which are {known}")


def _real(roots: Sequence[str]) -> Iterator[str]:
    for root in roots:
        with suppress(OSError):
            descriptor = kernel.open_path(root, os.O_PATH, kernel.NO_MAGIC_LINKS)
            try:
                yield _place(descriptor)
            finally:
                os.close(descriptor)


def take_back(source: str, run: RunId) -> bool:
    """Remove the directories that ``run`` made for a source, as far as they are empty."""
    try:
        descriptor = kernel.open_path(source, os.O_PATH, kernel.NO_MAGIC_LINKS)
    except OSError:  # it was not made, or has gone
        return False
    path = _place(descriptor)
    os.close(descriptor)
    taken = False
    while _taken(path, run):
        taken, path = True, posixpath.dirname(path)
    return taken


def compare(pid: int, destination: str, source: Source, mount: Mount) -> None:
    """Raise if the container of ``pid`` has at ``destination`` anything but ``source``."""
    try:
        _compare(pid, destination, source, mount)
    except (NotAllowed, OSError):
        # Its root goes before its mounts do: nothing is proven against one that has none.
        if not os.path.exists(f"/proc/{pid}/root"):
            raise Gone from None
        raise


def _compare(pid: int, destination: str, source: Source, mount: Mount) -> None:
    root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        seen = kernel.open_path(destination, os.O_PATH, kernel.IN_ROOT, within=root)
    finally:
        os.close(root)
    try:
        if not os.path.sameopenfile(seen, source.descriptor):
            raise NotAllowed(f"{mount.source!r} was replaced while it was being mounted")
        if mount.read_only:
            _refuse_writable(pid, kernel.mount_identity(seen))
    finally:
        os.close(seen)


def _refuse_writable(pid: int, top: int) -> None:
    if any(row.writable for row in tree(mounts_of(str(pid)), top)):
        raise NotPossible("cannot be mounted read-only with all below it here", "read_only")


def _refuse_missing(mount: Mount, missing: Sequence[str]) -> None:
    if missing and not mount.create_source:
        raise NotPossible(f"{mount.source!r} does not exist")


def _check_propagation(mount: Mount, descriptor: int) -> None:
    if mount.propagation is Propagation.PRIVATE:
        return
    row = mounts_of("self").get(kernel.mount_identity(descriptor))
    if row is None or not (row.shared if mount.propagation is Propagation.SHARED else row.follows):
        raise NotPossible(
            f"needs a shared mount of the host's, and {mount.source!r} is in none",
            "bind.propagation",
        )


def _made(above: int, name: str, run: str) -> int:
    """Have a directory in another that is open by its path alone, and open it."""
    within = f"/proc/self/fd/{above}"
    new = True
    try:
        os.mkdir(f"{within}/{name}", 0o755)
    except FileExistsError:
        new = False
    made = kernel.open_path(
        name, os.O_PATH | os.O_DIRECTORY, kernel.BENEATH | kernel.NO_SYMLINKS, within=above
    )
    if new:
        with suppress(OSError):  # a file system without such attributes keeps what was made
            os.setxattr(f"/proc/self/fd/{made}", _MADE_BY, run.encode())
    return made


def _taken(path: str, run: RunId) -> bool:
    """Remove one directory, if ``run`` made it and nobody put anything into it."""
    above, _, name = path.rpartition("/")
    try:
        parent = kernel.open_path(above or "/", _DIRECTORY, kernel.NO_SYMLINKS)
    except OSError:
        return False
    try:
        if _made_by(parent, name) != run:
            return False
        os.rmdir(name, dir_fd=parent)
    except OSError:
        return False
    finally:
        os.close(parent)
    return True


def _made_by(parent: int, name: str) -> str:
    inside = kernel.BENEATH | kernel.NO_SYMLINKS
    descriptor = kernel.open_path(name, _DIRECTORY, inside, within=parent)
    try:
        return os.getxattr(descriptor, _MADE_BY).decode(errors="replace")
    finally:
        os.close(descriptor)


def _place(descriptor: int) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root.rstrip('/')}/")
