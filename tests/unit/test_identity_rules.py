"""A role follows from one plain URI; what could be read in two ways follows nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moored.model.identity_rules import fault, fits, is_one_of, pattern_fault, role_of

IDENTITIES = {
    "spiffe://example.org/ci/*": "operator",
    "spiffe://example.org/ci/lint": "viewer",
    "spiffe://example.org/ci/deep/*": "deployer",
}


@pytest.mark.parametrize(
    ("uri", "role"),
    [
        ("spiffe://example.org/ci/build", "operator"),
        ("spiffe://example.org/ci/a/b", "operator"),
        ("spiffe://example.org/ci/lint", "viewer"),
        ("spiffe://example.org/ci/deep/x", "deployer"),
        ("spiffe://example.org/ci/deep", "operator"),
        ("spiffe://example.org/ci", None),
        ("spiffe://example.org/ci/", None),
        ("spiffe://example.org/cicd", None),
        ("spiffe://example.org.evil/ci/build", None),
        ("spiffe://example.org/CI/build", None),
        ("spiffe://example.org/ci/*", None),
        ("spiffe://example.org/ci/../admin", None),
        ("spiffe://example.org/ci/./x", None),
        ("spiffe://example.org/ci//x", None),
        ("spiffe://example.org/ci/%2e%2e/x", None),
        ("spiffe://example.org/ci/x?y", None),
        ("spiffe://example.org/ci/x#y", None),
        ("spiffe://example.org/ci/x,URI=spiffe://example.org/ci/y", None),
        ("spiffe://example.org/ci/x;URI=y", None),
        ("spiffe://example.org/ci/x\n", None),
        ("spiffe://example.org/ci/\u0445", None),
        ("spiffe://example.org/ci/x\0", None),
        ("", None),
        ("*", None),
    ],
)
def test_a_uri_has_the_role_of_the_nearest_entry(uri: str, role: str | None) -> None:
    assert role_of(uri, IDENTITIES) == role


@pytest.mark.parametrize(
    "pattern",
    ["*", "/*", "spiffe://*", "spiffe://*/x", "spiffe://a/b*", "spiffe://a/*/c", "spiffe://a/*/*"],
)
def test_a_star_stands_at_the_end_of_a_path_only(pattern: str) -> None:
    assert pattern_fault(pattern)


def test_a_trust_domain_may_be_trusted_whole() -> None:
    assert not pattern_fault("spiffe://example.org/*")
    assert is_one_of("spiffe://example.org/x", ["spiffe://example.org/*"])
    assert not is_one_of("spiffe://example.org", ["spiffe://example.org/*"])


@given(st.text())
def test_nothing_odd_ever_has_a_role(tail: str) -> None:
    uri = f"spiffe://example.org/ci/{tail}"
    if role_of(uri, IDENTITIES):
        assert not fault(uri)
        assert uri.isascii()
        assert uri.isprintable()
        assert not set(uri) & set("*,;=\"'\\%?# ")


@given(st.text(alphabet="ab/*:", max_size=12), st.text(alphabet="ab/*:", max_size=12))
def test_a_pattern_never_fits_what_does_not_begin_as_it_does(uri: str, pattern: str) -> None:
    if fits(uri, pattern):
        assert uri.startswith(pattern.removesuffix("*"))
