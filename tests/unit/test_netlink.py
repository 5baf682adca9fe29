"""Netlink: attributes are read as they were written, and a refusal is known by what was asked."""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moored.failpoints import parse
from moored.network import counters, messages, namespaces
from moored.network.loopback import set_up_loopback
from moored.network.netlink import Netlink, Refused, attribute, attributes, nested, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@given(st.dictionaries(st.integers(1, 0x3FFF), st.binary(max_size=64)))
def test_attributes_come_back_as_they_went(values: Mapping[int, bytes]) -> None:
    packed = b"".join(attribute(kind, value) for kind, value in values.items())
    assert len(packed) % 4 == 0
    assert attributes(packed) == values


@given(st.binary(max_size=64))
def test_what_is_no_list_of_attributes_is_read_without_a_fault(data: bytes) -> None:
    attributes(data)


def test_attributes_are_numbers_texts_and_more_attributes() -> None:
    packed = nested(1, attribute(2, 7), attribute(3, "eth0"))
    inner = attributes(attributes(packed)[1])
    assert struct.unpack("=I", inner[2]) == (7,)
    assert text(inner[3]) == "eth0"


def test_traffic_is_read_by_interface() -> None:
    table = (
        "Inter-|   Receive  |  Transmit\n face |bytes packets errs drop\n"
        "    lo:  1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n  eth0: 9 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
    )
    found = counters.read(table)
    assert list(found) == ["lo", "eth0"]
    assert found["lo"] == counters.Traffic(
        counters.Counters(1, 2, 3, 4), counters.Counters(5, 6, 7, 8)
    )
    assert counters.of_process(2**22) == {}


@pytest.mark.real
class TestKernel:
    """In a namespace of its own: nothing of this host is touched."""

    @pytest.fixture
    def namespace(self) -> Iterator[int]:
        descriptor = namespaces.make(set_up_loopback)
        yield descriptor
        os.close(descriptor)

    def test_a_refusal_says_what_was_asked_and_why(self, namespace: int) -> None:
        def refused() -> Refused:
            with Netlink() as netlink, pytest.raises(Refused) as caught:
                netlink.ask(messages.delete_link(77, "nope"))
            return caught.value

        error = namespaces.within(namespace, refused)
        assert error.errno == errno.ENODEV
        assert str(error) == "cannot delete link 'nope': No such device"

    def test_of_a_batch_the_first_refusal_is_raised(self, namespace: int) -> None:
        def tried() -> list[str]:
            bridge = messages.new_bridge("b0", mac=b"\x02mabcd", mtu=1500)
            with Netlink() as netlink, pytest.raises(Refused, match="delete link 'nope'"):
                netlink.ask(
                    bridge, messages.delete_link(77, "nope"), messages.delete_link(78, "no")
                )
            with Netlink() as netlink:
                return [
                    messages.read_link(link).name for link in netlink.list(messages.list_links())
                ]

        assert "b0" in namespaces.within(namespace, tried)

    def test_what_is_not_there_is_not_found(self, namespace: int) -> None:
        def looked() -> object:
            with Netlink() as netlink:
                return netlink.get(messages.get_link("nope"))

        assert namespaces.within(namespace, looked) is None

    def test_the_loopback_of_a_new_namespace_is_up(self, namespace: int) -> None:
        def looked() -> messages.Link:
            with Netlink() as netlink:
                found = netlink.get(messages.get_link("lo"))
                assert found is not None
                return messages.read_link(found)

        assert namespaces.within(namespace, looked).up

    def test_a_request_that_is_told_to_fail_is_refused_with_its_words(self, namespace: int) -> None:
        failing = parse("netlink.bridge.before=error(no luck)")

        def refused() -> None:
            with Netlink(failing) as netlink:
                netlink.ask(messages.new_bridge("b0", mac=b"\x02mabcd", mtu=1500))

        with pytest.raises(OSError, match="cannot make bridge 'b0': no luck"):
            namespaces.within(namespace, refused)

    def test_a_namespace_that_is_none_is_refused(self) -> None:
        with open("/dev/null") as nothing, pytest.raises(OSError, match="setns"):
            namespaces.within(nothing.fileno(), lambda: None)

    def test_what_fails_inside_is_raised_outside(self, namespace: int) -> None:
        def failing() -> None:
            raise LookupError("inside")

        with pytest.raises(LookupError, match="inside"):
            namespaces.within(namespace, failing)
