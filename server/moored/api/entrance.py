"""What decides who gets in: the certificates and the policy, both read again when told to.

Certificates are also read again by themselves, with the next connection after a file changed;
the policy only when told to. What is broken changes nothing, is logged, and counted.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moored.policy_book import PolicyBook
from moored.tls_settings import TLS

if TYPE_CHECKING:
    from moored.api.certificates import Certificates
    from moored.config import Settings
    from moored.telemetry.measures import Measures


@dataclass(frozen=True)
class Entrance:
    policies: PolicyBook
    certificates: Certificates | None
    """None: nobody comes by TLS."""

    @classmethod
    def of(cls, settings: Settings) -> Entrance:
        """Read what the settings name, or refuse with one line."""
        policy = Path(settings.policy) if settings.policy else None
        secured = any(address.startswith(TLS) for address in settings.listen)
        return cls(
            PolicyBook(policy, host_network=settings.allow_host_network),
            _certificates(settings) if secured else None,
        )

    async def reload(self) -> None:
        """Read both again."""
        await asyncio.to_thread(self.policies.reload)
        if self.certificates is not None:
            await asyncio.to_thread(self.certificates.look)

    def watch(self, measures: Measures) -> None:
        measures.totals(
            "moored.reloads",
            "{reload}",
            "Changes of the policy and of certificates: taken over, or refused as broken",
            lambda: [
                ({"of": of, "outcome": outcome}, number)
                for of, book in (("policy", self.policies), ("certificates", self.certificates))
                if book is not None
                for outcome, number in (("taken", book.reloads), ("refused", book.failures))
            ],
        )
        if (certificates := self.certificates) is not None:
            measures.watch(
                "moored.certificate.remaining",
                "s",
                "For how long the server's certificate is still good",
                lambda: {"": certificates.expires_in},
            )


def _certificates(settings: Settings) -> Certificates:
    from moored.api.certificates import Certificates  # slow, and only TLS needs it

    return Certificates(settings)
