"""The loopback of a new namespace: there, and down until somebody sets it up."""

from __future__ import annotations

from moored.network.messages import set_up
from moored.network.netlink import Netlink


def set_up_loopback() -> None:
    with Netlink() as netlink:
        netlink.ask(set_up("lo"))
