"""Certificates for tests: an authority, and whoever it vouches for, as files."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

_DAY: Final = timedelta(days=1)
_PEM: Final = serialization.Encoding.PEM
HOSTS: Final = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes

    def write(self, certificate: Path, key: Path) -> None:
        """Write both, each whole at once."""
        for path, content in ((certificate, self.certificate), (key, self.key)):
            beside = path.with_name(f".{path.name}")
            beside.touch(0o600)
            beside.write_bytes(content)
            beside.rename(path)


class Authority:
    """Somebody who signs certificates."""

    def __init__(self, name: str = "authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        builder = _builder(self._name, self._name, self._key.public_key(), timedelta(days=30))
        constraint = x509.BasicConstraints(ca=True, path_length=None)
        self._own = builder.add_extension(constraint, critical=True).sign(
            self._key, hashes.SHA256()
        )

    @property
    def certificate(self) -> bytes:
        return self._own.public_bytes(_PEM)

    def server(self, *, lasts: timedelta = _DAY) -> Pair:
        return self.issue("server", *HOSTS, lasts=lasts)

    def client(self, *uris: str, lasts: timedelta = _DAY) -> Pair:
        return self.issue("client", *map(x509.UniformResourceIdentifier, uris), lasts=lasts)

    def issue(self, name: str, *names: x509.GeneralName, lasts: timedelta = _DAY) -> Pair:
        """Vouch for ``names``. With a negative ``lasts`` it has expired by so much."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(name), self._name, key.public_key(), lasts)
        if names:
            alternative = x509.SubjectAlternativeName(names)
            builder = builder.add_extension(alternative, critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        private = key.private_bytes(
            _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Pair(signed.public_bytes(_PEM), private)


def credentials(trusted: Authority, pair: Pair | None = None) -> grpc.ChannelCredentials:
    """Return what a client shows and believes."""
    key, certificate = (pair.key, pair.certificate) if pair else (None, None)
    return grpc.ssl_channel_credentials(trusted.certificate, key, certificate)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lasts: timedelta
) -> x509.CertificateBuilder:
    end = datetime.now(UTC) + lasts
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(end, datetime.now(UTC)) - _DAY)
        .not_valid_after(end)
    )
