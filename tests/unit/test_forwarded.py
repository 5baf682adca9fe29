"""Of what a proxy forwards, the last element counts, and nothing in a value becomes another one."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moored.model.forwarded import Malformed, uris

ENVOY = (
    "By=spiffe://example.org/envoy;Hash=0123abcd;"
    'Subject="CN=client,O=Example\\, Inc.";URI=spiffe://example.org/ci/a'
)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (ENVOY, ("spiffe://example.org/ci/a",)),
        (f"{ENVOY},By=x;Hash=1;URI=spiffe://example.org/b", ("spiffe://example.org/b",)),
        ("Hash=1;URI=spiffe://example.org/b," + ENVOY, ("spiffe://example.org/ci/a",)),
        ('Subject="";URI=a', ("a",)),
        ("URI=a;URI=b", ("a", "b")),
        ("uri=a", ("a",)),
        ('URI="a,b;c"', ("a,b;c",)),
        ('Subject="x,URI=spiffe://evil;URI=evil";URI=good', ("good",)),
        ('Subject="a\\";URI=evil";URI=good', ("good",)),
        ("Hash=1;URI=", ()),
        ("DNS=spiffe://example.org/evil;Hash=1", ()),
    ],
)
def test_the_uris_of_the_last_element_count(header: str, found: tuple[str, ...]) -> None:
    assert uris(header) == found


@pytest.mark.parametrize(
    "header",
    [
        *('URI="a', 'URI=a"', 'URI=a"b"', 'URI="a"b', "nonsense", "URI=a,", "URI=a;;URI=b", ""),
        *("=a", "U RI=a", 'Subject="CN=a\\\\";URI=evil', "URI=" + "a" * 40_000),
    ],
)
def test_what_cannot_be_read_in_one_way_is_refused_whole(header: str) -> None:
    with pytest.raises(Malformed):
        uris(header)


@given(st.text())
def test_any_text_is_read_or_refused(header: str) -> None:
    with suppress(Malformed):
        assert all(isinstance(uri, str) for uri in uris(header))


@given(st.text(alphabet='a,;="\\URI ', max_size=40), st.text(alphabet="ab/:", min_size=1))
def test_nothing_in_a_quoted_subject_becomes_a_uri(subject: str, uri: str) -> None:
    """As Envoy writes it: the subject escapes itself."""
    escaped = "".join(f"\\{c}" if c in ',;="\\' else c for c in subject)
    with suppress(Malformed):
        assert uris(f'By=p;Hash=1;Subject="{escaped}";URI={uri}') == (uri,)


@given(st.text(), st.text(alphabet="ab/:", min_size=1))
def test_what_stood_there_before_never_counts(before: str, uri: str) -> None:
    with suppress(Malformed):
        assert uris(f"{before},Hash=1;URI={uri}") == (uri,)
