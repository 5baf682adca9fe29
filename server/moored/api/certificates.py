"""The certificates of TLS listeners: read from files, and read again when those have changed.

Laws: every new connection gets what the files say at that moment; what is broken is said once,
and what was good before goes on being used; connections that there are do not notice.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from loguru import logger

from moored.errors import SetupRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from moored.tls_settings import TlsSettings

_READABLE_BY_ALL: Final = 0o004
_Fingerprint = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Credentials:
    """What the files say, once it was found to fit together."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None
    expires: datetime

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration(
            [(self.key, self.certificate)], root_certificates=self.client_ca
        )


class Certificates:
    """Those of one moored. gRPC asks for them from threads of its own."""

    def __init__(self, settings: TlsSettings) -> None:
        """Read the files, or refuse to start with one line."""
        self._settings: Final = settings
        self._lock: Final = threading.Lock()
        self._looked_at = self._fingerprint()
        self._current = _read(settings)
        self._generation = 0
        self.failures = 0
        """How often what the files said could not be used since the start."""
        self.reloads = 0

    @property
    def expires_in(self) -> float:
        """Seconds for which the certificate in use is still good."""
        return (self._current.expires - datetime.now(UTC)).total_seconds()

    def credentials(self) -> grpc.ServerCredentials:
        """Return credentials for one listener, which follow the files."""
        return grpc.dynamic_ssl_server_credentials(
            self._current.configuration(),
            self._follower(),  # type: ignore[arg-type]  # None is for: as before
            require_client_authentication=self._settings.tls_client_auth == "require",
        )

    def look(self) -> bool:
        """Read what has changed. Returns whether what is in use is what the files say."""
        with self._lock:
            found = self._fingerprint()
            if found != self._looked_at:
                self._looked_at = found
                self._reload()
                return self._good
            return self._good

    _good = True

    def _reload(self) -> None:
        try:
            self._current = _read(self._settings)
        except SetupRefused as refusal:
            self.failures += 1
            self._good = False
            logger.error("the certificates in use stay: {}", refusal.message)
        else:
            self._generation += 1
            self.reloads += 1
            self._good = True
            logger.info("new certificates, good until {:%Y-%m-%d %H:%M}Z", self._current.expires)

    def _follower(self) -> Callable[[], grpc.ServerCertificateConfiguration | None]:
        """Return what tells one listener of certificates that it has not heard of."""
        told = self._generation

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            nonlocal told
            self.look()
            current, generation = self._current, self._generation
            if generation == told:
                return None
            told = generation
            return current.configuration()

        return fetch

    def _fingerprint(self) -> _Fingerprint:
        """Return what changes when a file does, links followed."""
        settings = self._settings
        files = (settings.tls_cert, settings.tls_key, settings.tls_client_ca)
        return tuple(_stat(path) for path in files)


def _stat(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError as error:
        return (error.errno or 0,)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _read(settings: TlsSettings) -> Credentials:
    certificate = _content("tls_cert", settings.tls_cert)
    leaf = _certificates("tls_cert", settings.tls_cert, certificate)[0]
    _refuse_out_of_date("tls_cert", settings.tls_cert, leaf)
    key = _content("tls_key", settings.tls_key)
    _check_key(settings, key, leaf)
    client_ca = None
    if settings.tls_client_auth == "require":
        client_ca = _content("tls_client_ca", settings.tls_client_ca)
        for authority in _certificates("tls_client_ca", settings.tls_client_ca, client_ca):
            _refuse_out_of_date("tls_client_ca", settings.tls_client_ca, authority)
    return Credentials(certificate, key, client_ca, leaf.not_valid_after_utc)


def _content(name: str, path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise _refusal(name, path, (error.strerror or str(error)).lower()) from error


def _certificates(name: str, path: str, content: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise _refusal(name, path, "it holds no certificate in PEM") from error


def _refuse_out_of_date(name: str, path: str, certificate: x509.Certificate) -> None:
    now = datetime.now(UTC)
    if now > certificate.not_valid_after_utc:
        end = f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M}Z"
        raise _refusal(name, path, f"its certificate has expired at {end}")
    if now < certificate.not_valid_before_utc:
        begin = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M}Z"
        raise _refusal(name, path, f"its certificate is not good before {begin}")


def _check_key(settings: TlsSettings, content: bytes, leaf: x509.Certificate) -> None:
    path = settings.tls_key
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except TypeError as error:
        raise _refusal("tls_key", path, "it has a password, which nobody is asked for") from error
    except ValueError as error:
        raise _refusal("tls_key", path, "it holds no private key in PEM") from error
    if key.public_key() != leaf.public_key():
        raise _refusal("tls_key", path, f"it does not belong to tls_cert {settings.tls_cert!r}")
    if os.stat(path).st_mode & _READABLE_BY_ALL:
        logger.warning("tls_key {!r} can be read by everybody on this host", path)


def _refusal(name: str, path: str, why: str) -> SetupRefused:
    return SetupRefused(f"cannot use {name} {path!r}: {why}")
