"""Who calls, and whether they may: from a connection to an identity, a role, and a yes or no.

Laws: whoever may open a unix socket, or comes over the loopback without TLS, is ``local``. With
TLS it is the one URI in the certificate that counts. Only a proxy that the policy trusts is
believed about its own caller, and it never acts for itself. From all others what is said in
headers is ignored, and noted.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import grpc

from moored import errors
from moored.model import access, forwarded, identity_rules
from moored.model.policy import LOCAL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moored.model.policy import Policy

Context = grpc.aio.ServicerContext[Any, Any]

_KNOWN: Final[ContextVar[tuple[Context, Caller] | None]] = ContextVar("caller", default=None)
"""The call that this task answers, or goes on with, and whose it is."""
_SECURITY: Final = "transport_security_type"
_URIS: Final = "peer_uri"
"""gRPC's name for the URIs among the names of a certificate, and for those alone."""
_PLAIN: Final = frozenset({b"insecure", b"local"})


@dataclass(frozen=True)
class Caller:
    role: str
    identity: str
    """A URI; empty for whoever is known by the way that they came."""
    via: str = ""
    """The proxy that says so."""
    ignored: bool = False
    """Whether they said to be somebody, and are not to be believed."""

    @property
    def facts(self) -> dict[str, str]:
        """Return what the log says of them, beside what is the same for everybody."""
        noted = f"{forwarded.HEADER} ignored" if self.ignored else ""
        found = {"role": self.role, "caller": self.identity, "via": self.via, "noted": noted}
        return {name: fact for name, fact in found.items() if fact}

    @property
    def attributes(self) -> dict[str, str]:
        """Return what a span says of them, by OpenTelemetry's keys."""
        found = {"enduser.id": self.identity, "enduser.role": self.role}
        return {name: fact for name, fact in found.items() if fact}


UNKNOWN: Final = Caller("", "")
"""Whoever calls, as long as nobody has looked."""


@dataclass(frozen=True)
class Callers:
    policy: Callable[[], Policy]

    def refuse(self, method: str, caller: Caller) -> None:
        """Refuse what the role of ``caller`` may not call. ``method`` is its full name."""
        if not access.may_call(method, caller.role, self.policy()):
            name = f"{caller.identity!r}, " if caller.identity else ""
            raise errors.MethodNotAllowed(
                f"cannot call {method}: {name}role {caller.role!r} may not (rule methods)",
                method=method,
                role=caller.role,
                rule="methods",
            )

    def who(self, context: Context) -> Caller:
        """Return who calls. Raises IdentityMissing and NoRole.

        Also once the call has ended, to those who go on with it: gRPC itself must not be asked
        then, since it crashes.
        """
        known = _KNOWN.get()
        if known is None or known[0] is not context:
            known = context, self._look(context)
            _KNOWN.set(known)
        return known[1]

    def _look(self, context: Context) -> Caller:
        said = _header(context)
        if context.peer().startswith("unix:"):
            return Caller(LOCAL, "", ignored=bool(said))
        found = context.auth_context()
        if set(found.get(_SECURITY, ("",))) <= _PLAIN:
            return Caller(LOCAL, "", ignored=bool(said))
        uris = [uri.decode(errors="replace") for uri in found.get(_URIS, ())]
        policy = self.policy()
        if len(uris) == 1 and identity_rules.is_one_of(uris[0], policy.trusted_proxies):
            uri = _only(_told(said, by=uris[0]), "what the proxy says of it")
            return Caller(_role(uri, policy), uri, via=uris[0])
        if not uris and "x509_pem_cert" not in found:
            return Caller(_anonymous(policy), "", ignored=bool(said))
        uri = _only(uris, "the certificate")
        return Caller(_role(uri, policy), uri, ignored=bool(said))


def _header(context: Context) -> str:
    values = [v for k, v in context.invocation_metadata() or () if k == forwarded.HEADER]
    return ",".join(v.decode(errors="replace") if isinstance(v, bytes) else v for v in values)


def _told(said: str, by: str) -> Sequence[str]:
    if not said:
        raise errors.IdentityMissing(
            f"cannot tell who calls: proxy {by!r} sent no {forwarded.HEADER}", proxy=by
        )
    try:
        return forwarded.uris(said)
    except forwarded.Malformed as error:
        raise errors.IdentityMissing(
            f"cannot tell who calls: {forwarded.HEADER} of proxy {by!r} {error}", proxy=by
        ) from error


def _only(uris: Sequence[str], where: str) -> str:
    if len(uris) != 1:
        count = f"{len(uris)} URIs" if uris else "no URI"
        raise errors.NoRole(
            f"cannot give the caller a role: {where} has {count}, and exactly one counts"
        )
    return uris[0]


def _role(uri: str, policy: Policy) -> str:
    if why := identity_rules.fault(uri):
        raise errors.NoRole(f"cannot give the caller a role: {uri[:256]!r} {why}")
    role = identity_rules.role_of(uri, policy.identities)
    if role is None:
        raise errors.NoRole(
            f"cannot give the caller a role: the policy has none for {uri!r}", identity=uri
        )
    return role


def _anonymous(policy: Policy) -> str:
    if not policy.anonymous:
        raise errors.IdentityMissing(
            "cannot tell who calls: no certificate was asked for, and the policy has no role for"
            " anonymous callers"
        )
    return policy.anonymous
