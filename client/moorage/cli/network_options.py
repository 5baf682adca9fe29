"""The options that say which networks a container is in, and whom it asks for names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from moorage.cli.cni_options import arguments, bandwidth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moorage.v1.container_pb2 import DnsConfig, NetworkAttachment

_ONCE: Final = ("name", "ip", "ip6", "mac", "ingress", "egress")
_OFTEN: Final = ("alias", "arg")
"""What may be said of a network, once or more than once."""
_FIXED: Final = {"ip": "ip", "ip6": "ip6", "mac": "mac_address"}
"""The same for the first network, by options of their own."""

NETWORK_OPTIONS: Final = (
    click.option(
        "--network",
        multiple=True,
        metavar="NETWORK",
        help="none, host, container:REF, or a network: bridge, or"
        " name=bridge,ip=ADDRESS,ip6=ADDRESS,mac=ADDRESS. Repeatable: an interface each."
        " Of networks that plugins make also alias=NAME, arg=KEY=VALUE, and ingress=RATE and"
        " egress=RATE: bits a second, such as 8M, or RATE/BURST.",
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
        if asked[0].setdefault(key, [value]) != [value]:
            raise click.UsageError(f"{key} of the first network is given twice")
    return {"networks": [_attachment(parts) for parts in asked]}


def _parts(text: str) -> dict[str, list[str]]:
    if "=" not in text:
        return {"name": [text]}
    parts: dict[str, list[str]] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals or key not in (*_ONCE, *_OFTEN) or (key in _ONCE and key in parts):
            why = f"must be KEY=VALUE of {', '.join(_ONCE)}, each once, {' and '.join(_OFTEN)}"
            raise click.BadParameter(f"{text!r} {why}", param_hint="--network")
        parts.setdefault(key, []).append(value)
    return parts


def _attachment(parts: dict[str, list[str]]) -> NetworkAttachment:
    from moorage.v1.container_pb2 import NetworkAttachment

    def only(key: str) -> str:
        return parts.get(key, [""])[0]

    try:
        return NetworkAttachment(
            name=only("name"),
            addresses=[*parts.get("ip", ()), *parts.get("ip6", ())],
            mac_address=only("mac"),
            bandwidth=bandwidth(only("ingress"), only("egress")),
            aliases=parts.get("alias", ()),
            cni_args=arguments(parts.get("arg", ())),
        )
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--network") from error
