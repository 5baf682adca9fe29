"""What images are called. Familiar names are completed as the engines do; no I/O.

``busybox`` is ``docker.io/library/busybox:latest``: a registry, a path in it, and a tag, a
digest or both. A name that breaks the grammar never reaches containerd.
"""

from __future__ import annotations

import re
from typing import Final

from moored import errors

LONGEST_REPOSITORY: Final = 255
_DEFAULT_REGISTRY: Final = "docker.io"
_LABEL: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_REGISTRY: Final = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?")
_PART: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH: Final = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_BARE_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def complete_name(familiar: str, *, field: str = "image") -> str:
    """Return the full name that ``familiar`` stands for, or refuse it as ``field``."""
    why = "" if familiar else "it is required"
    if not why:
        name, why = _complete(familiar)
    if why:
        raise errors.InvalidField(
            f"cannot read image name {familiar[:300]!r}: {why}",
            errors.Violation(field, why),
            image=familiar[:300],
        )
    return name


def is_digest(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


def repository(name: str) -> str:
    """Return a complete name without its tag and digest."""
    bare, _, _ = name.partition("@")
    head, colon, tag = bare.rpartition(":")
    return head if colon and "/" not in tag else bare


def digest_of(name: str) -> str:
    """Return the digest that a complete name pins, or an empty text."""
    return name.partition("@")[2]


def _complete(familiar: str) -> tuple[str, str]:
    """Return the name and no reason, or no name and the reason."""
    bare, at, digest = familiar.partition("@")
    if at and not is_digest(digest):
        return "", "a digest is sha256: and 64 hexadecimal digits"
    path, colon, tag = bare.rpartition(":")
    if not colon or "/" in tag:
        path, colon, tag = bare, "", ""
    if colon and not _TAG.fullmatch(tag):
        return "", "a tag is up to 128 letters, digits, '_', '.' and '-'"
    if _BARE_DIGEST.fullmatch(path):
        return "", "64 hexadecimal digits are a digest, not a name"
    registry, path = _split(path)
    if not _REGISTRY.fullmatch(registry):
        return "", f"{registry[:80]!r} is not a registry's host name"
    if not _PATH.fullmatch(path):
        return "", "a path is lower-case letters and digits, joined by '/', '.', '_' and '-'"
    if len(registry) + 1 + len(path) > LONGEST_REPOSITORY:
        return "", f"without its tag it has more than {LONGEST_REPOSITORY} characters"
    suffix = colon + tag if colon or at else ":latest"
    return f"{registry}/{path}{suffix}{at}{digest}", ""


def _split(path: str) -> tuple[str, str]:
    """Tell the registry from the path: it has a dot, a port or capitals, or is localhost."""
    first, slash, rest = path.partition("/")
    foreign = "." in first or ":" in first or first == "localhost" or first.lower() != first
    registry, inner = (first, rest) if slash and foreign else (_DEFAULT_REGISTRY, path)
    if registry == "index.docker.io":
        registry = _DEFAULT_REGISTRY
    if registry == _DEFAULT_REGISTRY and "/" not in inner:
        inner = f"library/{inner}"
    return registry, inner
