"""What a plugin answers: the result of ADD in any version, a list of versions, an error.

The text of a plugin is not trusted: what is not of the form that the specification gives is
refused by name, before anything of it is used.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from moored.model.network import Dns

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_TEXT: Final = 1024


class BadAnswer(Exception):
    """A plugin said something that the specification does not know."""


@dataclass(frozen=True)
class Result:
    """``raw`` is the whole answer, which later plugins, CHECK and DEL are given."""

    raw: Mapping[str, Any] = field(repr=False)
    mac: str = ""
    addresses: tuple[str, ...] = ()
    """Of the container's interface, each with the length of its prefix."""
    gateways: tuple[str, ...] = ()
    dns: Dns = Dns()


@dataclass(frozen=True)
class Complaint:
    """The error that a plugin reports."""

    code: int
    message: str
    details: str = ""


def result(answer: bytes, *, version: str, interface: str) -> Result:
    """Return the result of an ADD, as far as the container's ``interface`` goes."""
    document = _document(answer)
    if (told := document.get("cniVersion")) != version:
        raise BadAnswer(f"answered in CNI version {told!r}, asked in {version!r}")
    return of_document(document, interface=interface)


def of_document(document: Mapping[str, Any], *, interface: str) -> Result:
    interfaces = _objects(document, "interfaces")
    mine = _mine(interfaces, interface)
    ips = [ip for ip in _objects(document, "ips") if _belongs(ip, mine, len(interfaces))]
    gateways = (_gateway(ip) for ip in ips)
    return Result(
        raw=document,
        mac=_text(interfaces[mine], "mac") if mine is not None else "",
        addresses=tuple(_address(ip) for ip in ips),
        gateways=tuple(dict.fromkeys(g for g in gateways if g)),
        dns=_dns(document.get("dns")),
    )


def supported(answer: bytes) -> tuple[str, ...]:
    """Return the versions that a plugin says it knows."""
    told = _document(answer).get("supportedVersions")
    if not isinstance(told, list) or not all(isinstance(version, str) for version in told):
        raise BadAnswer("named no versions")
    return tuple(told)


def complaint(answer: bytes) -> Complaint | None:
    """Return the error that ``answer`` is, if it is one."""
    try:
        document = _document(answer)
        code = document.get("code")
        if not isinstance(code, int) or isinstance(code, bool):
            return None
        return Complaint(code, _text(document, "msg"), _text(document, "details"))
    except BadAnswer:
        return None


def _document(answer: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"did not answer in JSON: {error}") from error
    if not isinstance(document, dict):
        raise BadAnswer("did not answer with a JSON object")
    return document


def _mine(interfaces: list[Mapping[str, Any]], name: str) -> int | None:
    """Return which interface is the container's: by its name, else the first inside."""
    inside = [n for n, interface in enumerate(interfaces) if _text(interface, "sandbox")]
    named = [n for n in inside if interfaces[n].get("name") == name]
    return next(iter(named or inside), None)


def _belongs(ip: Mapping[str, Any], mine: int | None, count: int) -> bool:
    index = ip.get("interface")
    if index is None:
        return True
    if not isinstance(index, int) or isinstance(index, bool) or not -1 <= index < count:
        raise BadAnswer(f"gave an address to interface {index!r} of {count}")
    return index in (mine, -1)


def _address(ip: Mapping[str, Any]) -> str:
    text = _text(ip, "address")
    try:
        if "/" not in text:
            raise ValueError  # noqa: TRY301  # one refusal for both
        return str(ipaddress.ip_interface(text))
    except ValueError as error:
        raise BadAnswer(f"gave {text!r} as an address with its prefix") from error


def _gateway(ip: Mapping[str, Any]) -> str:
    text = _text(ip, "gateway")
    try:
        return str(ipaddress.ip_address(text)) if text else ""
    except ValueError as error:
        raise BadAnswer(f"gave {text!r} as a gateway") from error


def _dns(given: object) -> Dns:
    if given is None:
        return Dns()
    if not isinstance(given, dict):
        raise BadAnswer('gave no JSON object as "dns"')
    domain = _text(given, "domain")
    searches = _texts(given, "search")
    return Dns(
        servers=tuple(_server(text) for text in _texts(given, "nameservers")),
        searches=searches or ((domain,) if domain else ()),
        options=_texts(given, "options"),
    )


def _server(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise BadAnswer(f"gave {text!r} as a name server") from error


def _objects(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    given = document.get(key)
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise BadAnswer(f'gave no list of JSON objects as "{key}"')
    return given


def _texts(document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    given = document.get(key)
    if given is None:
        return ()
    if not isinstance(given, list):
        raise BadAnswer(f'gave no list as "{key}"')
    return tuple(_word(one, key) for one in given)


def _word(text: object, key: str) -> str:
    """Return one word: it goes into a line of resolv.conf."""
    if not isinstance(text, str) or not text or not text.isprintable() or " " in text:
        raise BadAnswer(f'gave {text!r} in "{key}"')
    return text


def _text(document: Mapping[str, Any], key: str) -> str:
    given = document.get(key)
    if given is None:
        return ""
    if not isinstance(given, str):
        raise BadAnswer(f'gave {given!r} as "{key}"')
    # JSON can spell half a character, which nothing else can.
    return given[:_LONGEST_TEXT].encode(errors="replace").decode()
