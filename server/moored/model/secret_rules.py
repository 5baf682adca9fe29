"""Which secrets and configs make sense: how many, how large, and where they may go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from moored.errors import Violation
from moored.model.identity import is_name
from moored.model.secrets import CONFIGS, SECRETS, Secret, place
from moored.model.spec import Spec

MOST: Final = 128
"""Secrets and configs of one container."""
LARGEST_SECRET: Final = 512 * 1024
LARGEST_CONFIG: Final = 1024 * 1024
LARGEST_TOTAL: Final = 3 * 1024 * 1024
"""Bytes of all that came by value: less than what a request may be large."""
_LONGEST_PATH: Final = 4096
_LONGEST_PART: Final = 255
_LARGEST_ID: Final = 2**32 - 2
_LARGEST_MODE: Final = 0o777
_SYSTEM: Final = ("/proc", "/sys", "/dev")
"""Nothing is put at or below these: the runtime's own mounts are there."""
_GENERATED: Final = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")


def violations(spec: Spec) -> Iterator[Violation]:
    """Yield every field of a secret or config of ``spec`` that breaks its rule."""
    yield from _each("secrets", spec.secrets, SECRETS, LARGEST_SECRET)
    yield from _each("configs", spec.configs, CONFIGS, LARGEST_CONFIG)
    yield from _together(spec)
    yield from _targets(spec)


def _each(field: str, secrets: tuple[Secret, ...], below: str, limit: int) -> Iterator[Violation]:
    seen: set[str] = set()
    for number, secret in enumerate(secrets):
        path = f"{field}[{number}]"
        if not is_name(secret.name):
            yield Violation(
                f"{path}.name",
                'must be a letter or digit, then up to 127 letters, digits, "_", "." or "-"',
            )
        elif secret.name in seen:
            yield Violation(f"{path}.name", f"is {secret.name!r} a second time")
        seen.add(secret.name)
        yield from _content(path, secret, limit)
        if why := _misplaced(place(secret, below)):
            yield Violation(f"{path}.target", why)
        yield from _owner(path, secret)


def _content(path: str, secret: Secret, limit: int) -> Iterator[Violation]:
    if secret.size > limit:
        yield Violation(f"{path}.value", f"is larger than {limit} bytes")
    if secret.sealed is None and (why := _no_file(secret.file)):
        yield Violation(f"{path}.file", why)


def _no_file(path: str) -> str:
    if not path.startswith("/") or path.endswith("/"):
        return "must be the absolute path of a file"
    return _no_path(path)


def _no_path(path: str) -> str:
    if "\0" in path or len(path.encode()) >= _LONGEST_PATH:
        return f"must be shorter than {_LONGEST_PATH} bytes, without NUL"
    parts = path.split("/")[1:]
    if any(part in ("", ".", "..") for part in parts):
        return 'must not contain "//", "." or ".." as a part'
    if any(len(part.encode()) > _LONGEST_PART for part in parts):
        return f"has a part of more than {_LONGEST_PART} bytes"
    return ""


def _misplaced(path: str) -> str:
    if why := _no_path(path):
        return why
    if system := next((s for s in _SYSTEM if _is_within(path, s)), ""):
        return f"must not be at or below {system}"
    if path in _GENERATED:
        return "is where the server puts a file of its own"
    return ""


def _owner(path: str, secret: Secret) -> Iterator[Violation]:
    if secret.permissions > _LARGEST_MODE:
        yield Violation(f"{path}.mode", "must be between 0 and 0777 in octal")
    for name, number in (("uid", secret.uid), ("gid", secret.gid)):
        if number > _LARGEST_ID:
            yield Violation(f"{path}.{name}", f"must be at most {_LARGEST_ID}")


def _together(spec: Spec) -> Iterator[Violation]:
    secrets = (*spec.secrets, *spec.configs)
    field = "secrets" if spec.secrets else "configs"
    if len(secrets) > MOST:
        yield Violation(field, f"are more than {MOST}, configs included")
    if sum(secret.size for secret in secrets) > LARGEST_TOTAL:
        yield Violation(field, f"are larger than {LARGEST_TOTAL} bytes together, configs included")


def _targets(spec: Spec) -> Iterator[Violation]:
    """Yield targets that are taken, or that would have to be a file and a directory."""
    mounted = {mount.destination: number for number, mount in enumerate(spec.mounts)}
    taken: dict[str, str] = {}
    for path, target in _places(spec):
        for destination, number in mounted.items():
            if _is_within(destination, target):
                yield Violation(f"{path}.target", f"{target!r} does not go with mounts[{number}]")
        for other, whose in taken.items():
            if target == other:
                yield Violation(f"{path}.target", f"{target!r} is that of {whose} too")
            elif _is_within(target, other) or _is_within(other, target):
                yield Violation(f"{path}.target", f"{target!r} does not go with that of {whose}")
        taken.setdefault(target, path)


def _places(spec: Spec) -> Iterator[tuple[str, str]]:
    for field, secrets, below in (
        ("secrets", spec.secrets, SECRETS),
        ("configs", spec.configs, CONFIGS),
    ):
        for number, secret in enumerate(secrets):
            yield f"{field}[{number}]", place(secret, below)


def _is_within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")
