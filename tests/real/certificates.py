"""An authority whose certificates are PEM files of a directory, as programs want them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509

from tests.real import vouching

if TYPE_CHECKING:
    from pathlib import Path

    import grpc


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: Path
    key: Path
    content: vouching.Pair


class Authority:
    def __init__(self, directory: Path, name: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._authority = vouching.Authority(name)
        self.certificate: Final = directory / f"{name}.crt"
        self.certificate.write_bytes(self._authority.certificate)

    def issue(self, name: str, *, uri: str = "") -> Pair:
        """Sign a certificate for this host, with ``uri`` as who it is."""
        who = [x509.UniformResourceIdentifier(uri)] if uri else []
        content = self._authority.issue(name, *vouching.HOSTS, *who)
        pair = Pair(self._directory / f"{name}.crt", self._directory / f"{name}.key", content)
        content.write(pair.certificate, pair.key)
        return pair

    def credentials(self, pair: Pair | None = None) -> grpc.ChannelCredentials:
        """Return what somebody shows who has ``pair``, and who trusts this authority."""
        return vouching.credentials(self._authority, pair.content if pair else None)
