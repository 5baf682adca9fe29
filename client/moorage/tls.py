"""How a client comes in by TLS: whom it believes, and who it is. Files are read to connect."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    import grpc

TLS: Final = "tls://"
_VARIABLES: Final = {
    "ca": "MOORAGE_TLS_CA",
    "cert": "MOORAGE_TLS_CERT",
    "key": "MOORAGE_TLS_KEY",
    "server_name": "MOORAGE_TLS_SERVER_NAME",
}


@dataclass(frozen=True)
class Tls:
    """Paths of files in PEM. Without ``ca``, those count that gRPC brings along."""

    ca: str = ""
    cert: str = ""
    key: str = ""
    server_name: str = ""
    """What the server's certificate has to say, if not the host of the address."""

    @classmethod
    def of_environment(cls, environ: Mapping[str, str]) -> Tls:
        """Return what ``MOORAGE_TLS_CA``, ``_CERT``, ``_KEY`` and ``_SERVER_NAME`` say."""
        return cls(**{field: environ.get(name, "") for field, name in _VARIABLES.items()})

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files. Raises OSError, and ValueError for a certificate without its key."""
        import grpc

        if bool(self.cert) != bool(self.key):
            raise ValueError("cannot use TLS: a certificate and its key go together")
        return grpc.ssl_channel_credentials(_read(self.ca), _read(self.key), _read(self.cert))

    @property
    def options(self) -> list[tuple[str, int | str]]:
        name = self.server_name
        return [("grpc.ssl_target_name_override", name)] if name else []


def _read(path: str) -> bytes | None:
    return Path(path).read_bytes() if path else None
