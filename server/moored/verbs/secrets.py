"""What a run gets of its container's secrets and configs: opened or read, and put into files.

Law: a content is in the clear in the memory of this process only for as long as that takes.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from moored import errors
from moored.model import id_maps
from moored.model.identity import RunId, run_id
from moored.model.secret_rules import LARGEST_CONFIG, LARGEST_SECRET
from moored.model.secrets import CONFIGS, SECRETS, Secret, place
from moored.storage.secrets import Content
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from moored.model.id_maps import IdMaps
    from moored.model.spec import Spec
    from moored.model.state import Snapshot

_NONE: Final[Mapping[str, str]] = {}


class SecretFiles(Protocol):
    def paths(self, run: RunId, count: int) -> list[str]: ...
    def make(self, run: RunId, contents: Sequence[Content]) -> list[str]: ...


@dataclass(frozen=True)
class SecretKeeper:
    files: SecretFiles
    unseal: Callable[[str], bytes]
    """Raises ValueError for what it cannot open."""
    read: Callable[[str, str, int], bytes]
    """Reads a file for a role, of at most so many bytes. Raises OSError and ValueError."""

    def planned(self, snapshot: Snapshot, run: int) -> Mapping[str, str]:
        """Return destination -> path on the host, as ``hand_out`` would."""
        places = [where for _, where, _ in _all(snapshot.spec)]
        paths = self.files.paths(run_id(snapshot.id, run), len(places))
        return dict(zip(places, paths, strict=True))

    async def hand_out(self, snapshot: Snapshot, run: int) -> Mapping[str, str]:
        """Make the files of ``run``, and return destination -> path on the host."""
        if not has_secrets(snapshot.spec):
            return _NONE
        # A file of the host's may hang as long as it likes: nobody waits longer than the step.
        maps = id_maps.of(snapshot)
        contents = await asyncio.to_thread(self._contents, snapshot.spec, maps)
        make = partial(self.files.make, run_id(snapshot.id, run), contents)
        try:
            await in_thread(make)
        except OSError as error:
            raise errors.MountFailed(f"cannot mount secrets: {error}") from error
        return self.planned(snapshot, run)

    def _contents(self, spec: Spec, maps: IdMaps | None) -> list[Content]:
        return [
            Content(
                self._content(secret, spec.role, limit),
                secret.permissions,
                *(maps.owner(secret.uid, secret.gid) if maps else (secret.uid, secret.gid)),
            )
            for secret, _, limit in _all(spec)
        ]

    def _content(self, secret: Secret, role: str, limit: int) -> bytes:
        try:
            if secret.sealed is not None:
                return self.unseal(secret.sealed)
            return self.read(secret.file, role, limit)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            what = f"file {secret.file!r}" if secret.file else "its value"
            raise errors.SecretUnreadable(
                f"cannot read secret {secret.name!r}: {what}: {why}", secret=secret.name
            ) from error


def has_secrets(spec: Spec) -> bool:
    return bool(spec.secrets or spec.configs)


def _all(spec: Spec) -> Iterator[tuple[Secret, str, int]]:
    """Yield each, with its place in the container and the bytes that it may have."""
    yield from ((s, place(s, SECRETS), LARGEST_SECRET) for s in spec.secrets)
    yield from ((s, place(s, CONFIGS), LARGEST_CONFIG) for s in spec.configs)
