"""The vault: contents that only this server can read, sealed by a key that lies beside its ledger.

Laws: the key is made once, is root's alone, and is never written anywhere else; what was sealed is
opened whole and unchanged or not at all. A copy of the ledger without the key tells nothing but
how long each content is.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import stat
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from moored import errors

if TYPE_CHECKING:
    from pathlib import Path

KEY_FILE: Final = "secrets.key"
_KEY_LENGTH: Final = 32
_NONCE_LENGTH: Final = 12
"""Bytes, at random: what GCM is made for."""
_PURPOSE: Final = b"moorage secret 1"
_MARKS: Final = b"moorage request"


class Vault:
    def __init__(self, key: bytes, place: str) -> None:
        self._cipher: Final = AESGCM(key)
        self._key: Final = key
        self._place: Final = place

    @classmethod
    def at(cls, root: Path) -> Vault:
        """Return the vault of ``root``. Its key is made with the first call."""
        path = root / KEY_FILE
        try:
            if not path.exists():
                _make_key(path)
            return cls(_read_key(path), str(path))
        except OSError as error:
            raise errors.SetupRefused(
                f"cannot use key {str(path)!r}: {error.strerror or error}"
            ) from error

    def seal(self, content: bytes) -> str:
        """Return what only ``open`` makes ``content`` of again."""
        nonce = secrets.token_bytes(_NONCE_LENGTH)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, content, _PURPOSE)).decode()

    def open(self, sealed: str) -> bytes:
        """Return what was sealed. Raises ValueError if that was not by this key."""
        try:
            raw = base64.b64decode(sealed, validate=True)
            return self._cipher.decrypt(raw[:_NONCE_LENGTH], raw[_NONCE_LENGTH:], _PURPOSE)
        except (InvalidTag, ValueError) as error:
            raise ValueError(f"it was not sealed by the key at {self._place!r}") from error

    def mark(self, content: bytes) -> bytes:
        """Return what equal contents have alike, and what tells nothing of them without the key."""
        return hashlib.blake2b(content, key=self._key, person=_MARKS, digest_size=32).digest()


def _make_key(path: Path) -> None:
    """Write a new key beside ``path`` and give it that name: whoever finds it finds it whole."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(_KEY_LENGTH))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.rename(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _read_key(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        seen = os.fstat(descriptor)
        key = os.read(descriptor, _KEY_LENGTH + 1)
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(seen.st_mode) or len(key) != _KEY_LENGTH:
        raise errors.SetupRefused(
            f"cannot use key {str(path)!r}: it is no key; restore it, or move it away and give the"
            " secrets of all containers again"
        )
    if stat.S_IMODE(seen.st_mode) & 0o077:
        raise errors.SetupRefused(
            f"cannot use key {str(path)!r}: others than its owner may read it; chmod 0600 it,"
            " if nobody has"
        )
    return key
