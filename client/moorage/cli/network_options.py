"""The options that say which networks a container is in, and whom it asks for names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moorage.v1.container_pb2 import DnsConfig, NetworkAttachment

_KEYS: Final = {"name": "name", "ip": "addresses", "ip6": "addresses", "mac": "mac_address"}
"""What may be said of a network, and the field that it goes to."""
_FIXED: Final = {"ip": "ip", "ip6": "ip6", "mac": "mac_address"}
"""The same for the first network, by options of their own."""

NETWORK_OPTIONS: Final = (
    click.option(
        "--network",
        multiple=True,
        metavar="NETWORK",
        help="none, host, container:REF, or a network: bridge, or"
        " name=bridge,ip=ADDRESS,ip6=ADDRESS,mac=ADDRESS. Repeatable: an interface each.",
    ),
    click.option("--ip", metavar="ADDRESS", help="A fixed IPv4 address, in the first network."),
    click.option("--ip6", metavar="ADDRESS", help="A fixed IPv6 address, in the first network."),
    click.option("--mac-address", metavar="ADDRESS", help="A fixed MAC, in the first network."),
    click.option("--dns", multiple=True, metavar="ADDRESS", help="Whom to ask. Repeatable."),
    click.option(
        "--dns-search", multiple=True, metavar="DOMAIN", help="Where to search. Repeatable."
    ),
    click.option(
        "--dns-option", multiple=True, metavar="OPTION", help="As in resolv.conf. Repeatable."
    ),
    click.option(
        "--add-host",
        multiple=True,
        metavar="HOST:ADDRESS",
        help="A line for /etc/hosts; host-gateway stands for the host. Repeatable.",
    ),
    click.option("--domainname", metavar="DOMAIN", help="The domain that the host name is in."),
)


def network_fields(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a spec that ``NETWORK_OPTIONS`` say, and take those away."""
    fixed = {key: options.pop(name) for key, name in _FIXED.items()}
    return {
        **_networks(options.pop("network"), {k: v for k, v in fixed.items() if v is not None}),
        "dns": _dns(options.pop("dns"), options.pop("dns_search"), options.pop("dns_option")),
        "extra_hosts": options.pop("add_host"),
        "domain_name": options.pop("domainname"),
    }


def _dns(
    servers: Sequence[str], searches: Sequence[str], options: Sequence[str]
) -> DnsConfig | None:
    from moorage.v1.container_pb2 import DnsConfig

    if not (servers or searches or options):
        return None
    return DnsConfig(servers=servers, searches=searches, options=options)


def _networks(texts: tuple[str, ...], fixed: dict[str, str]) -> dict[str, Any]:
    if len(texts) == 1 and "=" not in texts[0] and not fixed:
        return {"network": texts[0]}
    if fixed and not texts:
        raise click.UsageError("--ip, --ip6 and --mac-address go with --network")
    asked = [_parts(text) for text in texts]
    for key, value in fixed.items():
        if asked[0].setdefault(key, value) != value:
            raise click.UsageError(f"{key} of the first network is given twice")
    return {"networks": [_attachment(parts) for parts in asked]}


def _parts(text: str) -> dict[str, str]:
    if "=" not in text:
        return {"name": text}
    parts: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if key not in _KEYS or not equals or key in parts:
            known = ", ".join(_KEYS)
            raise click.BadParameter(
                f"{text!r} must be KEY=VALUE of {known}, each once", param_hint="--network"
            )
        parts[key] = value
    return parts


def _attachment(parts: dict[str, str]) -> NetworkAttachment:
    from moorage.v1.container_pb2 import NetworkAttachment

    asked = NetworkAttachment(name=parts.get("name", ""), mac_address=parts.get("mac"))
    asked.addresses.extend(parts[key] for key in ("ip", "ip6") if key in parts)
    return asked
