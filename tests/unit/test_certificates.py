"""The law: TLS files that cannot be used keep moored from starting, each with its own reason.

Once it serves, the same files change nothing, are counted once, and what was good stays in use.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

from moored.api.certificates import Certificates
from moored.errors import SetupRefused
from moored.tls_settings import TlsSettings
from tests.real.vouching import Authority, Pair

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Spoil = Callable[[Path], object]

DAY = timedelta(days=1)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    authority = Authority()
    authority.server(lasts=DAY).write(tmp_path / "tls.crt", tmp_path / "tls.key")
    (tmp_path / "ca.crt").write_bytes(authority.certificate)
    return tmp_path


def settings(files: Path) -> TlsSettings:
    return TlsSettings(
        tls_cert=str(files / "tls.crt"),
        tls_key=str(files / "tls.key"),
        tls_client_ca=str(files / "ca.crt"),
    )


def gone(name: str) -> Spoil:
    return lambda files: (files / name).unlink()


def holding(name: str, content: bytes = b"") -> Spoil:
    return lambda files: (files / name).write_bytes(content)


def unreadable(name: str) -> Spoil:
    """Not by its mode, which root passes over: a link that leads to itself."""

    def spoil(files: Path) -> None:
        (files / name).unlink()
        (files / name).symlink_to(name)

    return spoil


def directory(name: str) -> Spoil:
    def spoil(files: Path) -> None:
        (files / name).unlink()
        (files / name).mkdir()

    return spoil


def foreign_key(files: Path) -> None:
    (files / "tls.key").write_bytes(Authority().server().key)


def locked_key(files: Path) -> None:
    key = serialization.load_pem_private_key((files / "tls.key").read_bytes(), None)
    content = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        BestAvailableEncryption(b"word"),
    )
    (files / "tls.key").write_bytes(content)


def of_another_time(lasts: timedelta) -> Spoil:
    def spoil(files: Path) -> None:
        Authority().server(lasts=lasts).write(files / "tls.crt", files / "tls.key")

    return spoil


def expired_authority(files: Path) -> None:
    (files / "ca.crt").write_bytes(Authority().server(lasts=-DAY).certificate)


UNUSABLE = [
    (gone("tls.crt"), "tls_cert", "no such file or directory"),
    (gone("tls.key"), "tls_key", "no such file or directory"),
    (gone("ca.crt"), "tls_client_ca", "no such file or directory"),
    (unreadable("tls.crt"), "tls_cert", "too many levels of symbolic links"),
    (unreadable("tls.key"), "tls_key", "too many levels of symbolic links"),
    (directory("ca.crt"), "tls_client_ca", "is a directory"),
    (holding("tls.crt"), "tls_cert", "it holds no certificate in PEM"),
    (holding("tls.key", b"a key\n"), "tls_key", "it holds no private key in PEM"),
    (holding("ca.crt"), "tls_client_ca", "it holds no certificate in PEM"),
    (holding("ca.crt", b"-----BEGIN CERTIFICATE-----\n"), "tls_client_ca", "no certificate in PEM"),
    (foreign_key, "tls_key", "it does not belong to tls_cert"),
    (locked_key, "tls_key", "it has a password, which nobody is asked for"),
    (of_another_time(-DAY), "tls_cert", "its certificate has expired at"),
    (expired_authority, "tls_client_ca", "its certificate has expired at"),
]


@pytest.mark.parametrize(("spoil", "name", "why"), UNUSABLE)
def test_each_file_that_cannot_be_used_is_refused_by_name_and_reason(
    files: Path, spoil: Spoil, name: str, why: str
) -> None:
    spoil(files)
    path = getattr(settings(files), name)
    with pytest.raises(SetupRefused) as caught:
        Certificates(settings(files))
    assert caught.value.message.startswith(f"cannot use {name} {path!r}: ")
    assert why in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(("spoil", "name", "why"), UNUSABLE)
def test_the_same_changes_nothing_once_it_serves(
    files: Path, spoil: Spoil, name: str, why: str
) -> None:
    certificates = Certificates(settings(files))
    before = certificates.expires_in
    spoil(files)
    assert certificates.look() is False
    assert certificates.look() is False
    assert (certificates.reloads, certificates.failures) == (0, 1), (name, why)
    assert 0 < certificates.expires_in <= before


def test_a_new_pair_is_taken_over_once(files: Path) -> None:
    certificates = Certificates(settings(files))
    Authority().server(lasts=10 * DAY).write(files / "tls.crt", files / "tls.key")
    assert certificates.look() is True
    assert certificates.look() is True
    assert (certificates.reloads, certificates.failures) == (1, 0)
    assert certificates.expires_in > 9 * DAY.total_seconds()


def test_files_that_are_put_back_are_good_again(files: Path) -> None:
    certificates = Certificates(settings(files))
    pair = Pair((files / "tls.crt").read_bytes(), (files / "tls.key").read_bytes())
    os.truncate(files / "tls.crt", 0)
    assert certificates.look() is False
    pair.write(files / "tls.crt", files / "tls.key")
    assert certificates.look() is True
    assert (certificates.reloads, certificates.failures) == (1, 1)
