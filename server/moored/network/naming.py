"""What a container is called, and whom it knows: hostname, hosts and resolv.conf of one run.

On the host's network they are the host's; else they are made from what was asked, and completed
once the addresses are known. Who shares another container's network gets a copy of that one's.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from moored.model.network import HOST, HOST_GATEWAY, NONE, Dns
from moored.network import resolvers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from moored.model.network import Attached
    from moored.model.spec import Spec
    from moored.model.state import Snapshot

_LOOPBACK: Final = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""
_UPSTREAM: Final = Path("/run/systemd/resolve/resolv.conf")
"""Whom the host's local resolver asks, where it is systemd's."""


@dataclass(frozen=True)
class Naming:
    etc: Path = Path("/etc")
    upstream: Path = _UPSTREAM

    def files(self, snapshot: Snapshot, hostname: str) -> Mapping[str, str]:
        """Return the texts of all files by name, as far as they are known before the addresses."""
        return {
            "hosts": self.hosts(snapshot, hostname, ()),
            "hostname": f"{hostname}\n",
            "resolv.conf": self.resolv_conf(snapshot, snapshot.networks),
        }

    def hosts(self, snapshot: Snapshot, hostname: str, networks: Sequence[Attached]) -> str:
        """Return the text of hosts for a container that has these interfaces."""
        spec = snapshot.spec
        if snapshot.network == HOST:
            return self._of_host("hosts") + "".join(_extra_lines(spec, ()))
        names = full_name(hostname, spec.domain_name)
        addresses = [address for network in networks for address in network.addresses]
        if _is_alone(snapshot):
            addresses = ["127.0.0.1"]
        own = [f"{address.partition('/')[0]}\t{names}\n" for address in addresses]
        gateways = [gateway for network in networks for gateway in network.gateways]
        return "".join((_LOOPBACK, *own, *_extra_lines(spec, gateways)))

    def resolv_conf(self, snapshot: Snapshot, networks: Sequence[Attached]) -> str:
        """Return the text of resolv.conf for a container that has these interfaces.

        Part by part, what was asked for goes before what its networks say, and that before what
        the host has.
        """
        asked = snapshot.spec.dns
        if _is_alone(snapshot):
            return resolvers.render(asked)
        text = self._of_host("resolv.conf")
        if snapshot.network == HOST:
            found = resolvers.read(text)
            return text if asked == Dns() else resolvers.render(resolvers.overridden(found, asked))
        found = resolvers.reachable(self._found(text), ipv6=_has_ipv6(networks))
        for told in (*(network.dns for network in reversed(networks)), asked):
            found = resolvers.overridden(found, told)
        return resolvers.render(found)

    def _found(self, text: str) -> Dns:
        """Return what the host has; of a local resolver, whom that one asks."""
        found = resolvers.read(text)
        if resolvers.only_loopback(found) and self.upstream.exists():
            return resolvers.read(self.upstream.read_text(errors="surrogateescape"))
        return found

    def _of_host(self, name: str) -> str:
        try:
            return (self.etc / name).read_text(errors="surrogateescape")
        except FileNotFoundError:
            return ""


def _is_alone(snapshot: Snapshot) -> bool:
    return snapshot.network == NONE and not snapshot.spec.networks


def full_name(hostname: str, domain: str) -> str:
    """Return a host's names as they stand in hosts: the long one first."""
    full = f"{hostname}.{domain.rstrip('.')}" if domain else hostname
    short = hostname.partition(".")[0]
    return " ".join(dict.fromkeys((full, hostname, short)))


def _extra_lines(spec: Spec, gateways: Sequence[str]) -> Iterator[str]:
    for line in spec.extra_hosts:
        name, _, address = line.partition(":")
        for meant in gateways if address == HOST_GATEWAY else (address,):
            yield f"{meant}\t{name}\n"


def _has_ipv6(networks: Sequence[Attached]) -> bool:
    """Whether any of these interfaces has an IPv6 address, or may get one."""
    return any(
        not network.addresses
        or any(ipaddress.ip_interface(address).version == 6 for address in network.addresses)
        for network in networks
    )
