"""Settings of the TLS listeners: whose certificate is shown, and whose are believed."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator

from moored.units import absolute_file, lower

TLS: Final = "tls://"


class TlsSettings(BaseModel):
    tls_cert: Annotated[str, AfterValidator(absolute_file)] = ""
    """PEM: the server's certificate, and those between it and the root."""
    tls_key: Annotated[str, AfterValidator(absolute_file)] = ""
    """PEM, without a password."""
    tls_client_ca: Annotated[str, AfterValidator(absolute_file)] = ""
    """PEM: whose certificates clients have."""
    tls_client_auth: Annotated[Literal["require", "none"], BeforeValidator(lower)] = "require"
    """none: clients show no certificate, and have the policy's role ``anonymous``, if any."""


def missing(address: str, settings: dict[str, object]) -> str:
    """Return which setting ``address`` lacks, or an empty text."""
    if not address.startswith(TLS):
        return ""
    wanted = ["tls_cert", "tls_key"]
    if settings.get("tls_client_auth") != "none":
        wanted.append("tls_client_ca")
    return next((name for name in wanted if not settings.get(name)), "")
