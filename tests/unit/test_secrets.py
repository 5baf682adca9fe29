"""The rules of secrets and configs, and the law that nothing shows what is in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from moorage.v1 import container_pb2
from moored import errors
from moored.api import asked, pictures
from moored.ledger import records
from moored.model import policy_rules
from moored.model.events import SpecUpdated
from moored.model.mounts import Mount, MountType
from moored.model.policy import Allowance
from moored.model.rules import violations
from moored.model.secret_rules import LARGEST_SECRET, MOST
from moored.model.secrets import Secret
from moored.model.spec import Spec
from tests.unit.samples import snapshot

SEALED = Secret("password", sealed="c2VhbGVk", size=6)
PLAIN = Spec(image="busybox")
WORD = b"very-secret-word"

BAD: list[tuple[str, list[Secret]]] = [
    ("secrets[0].name", [replace(SEALED, name="", target="x")]),
    ("secrets[0].name", [replace(SEALED, name="a/b", target="x")]),
    ("secrets[0].name", [replace(SEALED, name="..", target="x")]),
    ("secrets[1].name", [SEALED, replace(SEALED, target="other")]),
    ("secrets[0].value", [replace(SEALED, size=LARGEST_SECRET + 1)]),
    ("secrets[0].file", [Secret("x", file="relative")]),
    ("secrets[0].file", [Secret("x", file="")]),
    ("secrets[0].file", [Secret("x", file="/a/../b")]),
    ("secrets[0].file", [Secret("x", file="/a//b")]),
    ("secrets[0].file", [Secret("x", file="/a/")]),
    ("secrets[0].file", [Secret("x", file="/a\0")]),
    ("secrets[0].target", [replace(SEALED, target="../etc/passwd")]),
    ("secrets[0].target", [replace(SEALED, target="/a/../b")]),
    ("secrets[0].target", [replace(SEALED, target="/a/./b")]),
    ("secrets[0].target", [replace(SEALED, target="/")]),
    ("secrets[0].target", [replace(SEALED, target="/a/")]),
    ("secrets[0].target", [replace(SEALED, target="//a")]),
    ("secrets[0].target", [replace(SEALED, target="/a\0b")]),
    ("secrets[0].target", [replace(SEALED, target="/" + "a" * 256)]),
    ("secrets[0].target", [replace(SEALED, target="/a" * 2048)]),
    ("secrets[0].target", [replace(SEALED, target="/proc")]),
    ("secrets[0].target", [replace(SEALED, target="/proc/self/x")]),
    ("secrets[0].target", [replace(SEALED, target="/sys/x")]),
    ("secrets[0].target", [replace(SEALED, target="/dev/shm/x")]),
    ("secrets[0].target", [replace(SEALED, target="/etc/hosts")]),
    ("secrets[1].target", [SEALED, replace(SEALED, name="b", target="password")]),
    ("secrets[1].target", [SEALED, replace(SEALED, name="b", target="password/x")]),
    ("secrets[1].target", [SEALED, replace(SEALED, name="b", target="/run")]),
    ("secrets[0].mode", [replace(SEALED, mode=0o1000)]),
    ("secrets[0].uid", [replace(SEALED, uid=2**32 - 1)]),
    ("secrets[0].gid", [replace(SEALED, gid=2**32 - 1)]),
    ("secrets", [replace(SEALED, name=f"s{n}") for n in range(MOST + 1)]),
    ("secrets", [replace(SEALED, name=f"s{n}", size=LARGEST_SECRET) for n in range(7)]),
]


@pytest.mark.parametrize(("field", "given"), BAD, ids=[f"{f}-{n}" for n, (f, _) in enumerate(BAD)])
def test_each_bad_secret_is_named_by_its_field(field: str, given: list[Secret]) -> None:
    found = violations(replace(PLAIN, secrets=tuple(given)))
    assert {violation.field for violation in found} == {field}


def test_good_ones_have_no_violation() -> None:
    spec = replace(
        PLAIN,
        secrets=(SEALED, Secret("key", file="/srv/key", mode=0, uid=1000), Secret("e", sealed="")),
        configs=(Secret("app.toml", sealed="x", size=1, target="/etc/app/app.toml"),),
    )
    assert violations(spec) == []


def test_a_config_and_a_secret_cannot_be_in_one_place() -> None:
    config = replace(SEALED, target="/run/secrets/password")
    found = violations(replace(PLAIN, secrets=(SEALED,), configs=(config,)))
    assert [violation.field for violation in found] == ["configs[0].target"]


@pytest.mark.parametrize(
    ("file", "roots", "allowed"),
    [
        ("/srv/a", (), False),
        ("/srv/a", ("/srv",), True),
        ("/srv/a", ("/srv/",), True),
        ("/srv/a", ("/",), True),
        ("/srvx/a", ("/srv",), False),
        ("/srv", ("/srv",), False),
    ],
)
def test_a_file_is_read_where_the_policy_allows_it(
    file: str, roots: tuple[str, ...], allowed: bool
) -> None:
    spec = replace(PLAIN, configs=(Secret("x", file=file),))
    found = policy_rules.forbidden(spec, Allowance(secret_roots=roots))
    assert [(f.field, f.rule) for f in found] == (
        [] if allowed else [("configs[0].file", "secret_roots")]
    )


def asked_for(**fields: Any) -> Spec:
    message = container_pb2.ContainerSpec(image="busybox", **fields)
    return asked.spec(message, lambda value: f"sealed {len(value)}")


def test_a_value_is_sealed_as_it_is_read_and_never_shown() -> None:
    given = container_pb2.Secret(name="password", value=WORD, mode=0, uid=7)
    config = container_pb2.Config(name="app", file="/srv/app")
    spec = asked_for(secrets=[given], configs=[config])
    assert spec.secrets[0].sealed == f"sealed {len(WORD)}"
    assert WORD.decode() not in repr(spec)
    assert "sealed 16" not in repr(spec)
    shown = pictures.spec(spec)
    assert WORD not in shown.SerializeToString()
    assert shown.secrets[0] == container_pb2.Secret(name="password", sealed=True, mode=0, uid=7)
    assert shown.configs[0] == config


def test_an_empty_value_is_one() -> None:
    assert asked_for(secrets=[container_pb2.Secret(name="e", value=b"")]).secrets[0].sealed
    with pytest.raises(errors.InvalidField) as caught:
        asked_for(secrets=[container_pb2.Secret(name="e")])
    assert caught.value.violations[0].field == "spec.secrets[0].source"


def test_what_inspect_shows_is_no_value() -> None:
    with pytest.raises(errors.InvalidField, match="give the value again") as caught:
        asked_for(configs=[container_pb2.Config(name="e", sealed=True)])
    assert caught.value.violations[0].field == "spec.configs[0].sealed"


def test_secrets_come_back_from_the_ledger_and_are_in_no_event() -> None:
    kept = replace(snapshot(), spec=replace(PLAIN, secrets=(SEALED,), configs=(SEALED,)))
    assert records.read(records.write(kept), revision=0, resources=()) == kept
    told = records.write_event(SpecUpdated(kept.spec))
    assert SEALED.sealed is not None
    assert SEALED.sealed not in told
    assert "busybox" in told


@pytest.mark.parametrize(
    ("destination", "goes"),
    [("/run/secrets", True), ("/data", True), ("/run/secrets/password", False)],
)
def test_a_mount_and_a_secret_are_not_in_one_place(destination: str, *, goes: bool) -> None:
    spec = replace(PLAIN, secrets=(SEALED,), mounts=(Mount(MountType.TMPFS, destination),))
    fields = [violation.field for violation in violations(spec)]
    assert fields == ([] if goes else ["secrets[0].target"])
