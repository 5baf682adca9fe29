"""The law: what is not allowed is refused by field and rule; a file is read whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moored import policy_file
from moored.errors import SetupRefused
from moored.model.network import Attachment
from moored.model.policy import LOCAL, Allowance, Policy
from moored.model.policy_rules import forbidden
from moored.model.spec import Spec

if TYPE_CHECKING:
    from pathlib import Path


def _rules(spec: Spec, allowed: Allowance | None = None) -> list[tuple[str, str]]:
    return [(found.field, found.rule) for found in forbidden(spec, allowed or Allowance())]


def _read(tmp_path: Path, text: str) -> Policy:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    return policy_file.read(file)


def test_an_ordinary_spec_asks_for_nothing_special() -> None:
    assert _rules(Spec(image="busybox")) == []


def test_the_hosts_network_is_for_those_who_may() -> None:
    asked = Spec(image="busybox", network="host")
    assert _rules(asked) == [("network", "host_network")]
    assert _rules(asked, Allowance(host_network=True)) == []


def test_arguments_for_plugins_are_for_those_who_may() -> None:
    asked = Spec(image="busybox", networks=(Attachment("blue", arguments={"A": "b"}),))
    assert _rules(asked) == [("networks[0].cni_args", "cni_args")]
    assert _rules(asked, Allowance(cni_args=True)) == []


def test_a_file_says_what_a_role_may(tmp_path: Path) -> None:
    policy = _read(tmp_path, '[roles.local]\nhost_network = true\nbind_roots = ["/srv"]\n')
    assert policy.of(LOCAL) == Allowance(host_network=True, bind_roots=("/srv",))


def test_what_a_file_does_not_say_stays_the_safe_default(tmp_path: Path) -> None:
    assert (
        _read(tmp_path, "").of(LOCAL) == _read(tmp_path, "[roles.local]").of(LOCAL) == Allowance()
    )


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("roles = 1", "roles", "must be a table"),
        ("[rules.local]", "rules", "is not known; there is roles"),
        (
            "[roles.locl]",
            "roles.locl.methods",
            "none of the roles that are there, local, operator, viewer",
        ),
        ("[roles.local]\nhost_netwrk = true", "roles.local.host_netwrk", "there is host_network"),
        ("[roles.local]\nhost_network = [1]", "roles.local.host_network", "valid boolean"),
        ("[roles.local]\nbind_roots = [1]", "roles.local.bind_roots.0", "valid string"),
        ("[roles", "cannot read", "policy.toml"),
    ],
)
def test_nothing_of_a_file_is_ignored(tmp_path: Path, text: str, place: str, why: str) -> None:
    with pytest.raises(SetupRefused, match="policy") as caught:
        _read(tmp_path, text)
    assert place in str(caught.value)
    assert why in str(caught.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SetupRefused, match="No such file"):
        policy_file.read(tmp_path / "none.toml")
