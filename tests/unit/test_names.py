"""Familiar names mean what they mean to the engines; what breaks the grammar is refused."""

from __future__ import annotations

import pytest

from moored import errors
from moored.containerd.names import complete_name, digest_of, is_digest, repository

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("familiar", "complete"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("a/b", "docker.io/a/b:latest"),
        ("docker.io/busybox", "docker.io/library/busybox:latest"),
        ("index.docker.io/a/b:1", "docker.io/a/b:1"),
        ("docker.io/library/busybox:latest", "docker.io/library/busybox:latest"),
        ("host:5000/x", "host:5000/x:latest"),
        ("host:5000/x:1", "host:5000/x:1"),
        ("host:5000", "docker.io/library/host:5000"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:1/a/b/c", "localhost:1/a/b/c:latest"),
        ("Registry/x", "Registry/x:latest"),
        ("quay.io/o/n-a__m.e:V1.2_3", "quay.io/o/n-a__m.e:V1.2_3"),
        ("[::1]:5000/x", "[::1]:5000/x:latest"),
        (f"busybox@{DIGEST}", f"docker.io/library/busybox@{DIGEST}"),
        (f"busybox:1@{DIGEST}", f"docker.io/library/busybox:1@{DIGEST}"),
        (f"host:5000/x@{DIGEST}", f"host:5000/x@{DIGEST}"),
    ],
)
def test_familiar_names_are_completed(familiar: str, complete: str) -> None:
    assert complete_name(familiar) == complete
    assert complete_name(complete) == complete


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        " ",
        "Busybox",
        "busybox:",
        "busybox:-x",
        "busybox:" + "t" * 129,
        "busybox@",
        "busybox@sha256:12",
        "busybox@sha512:" + "0" * 128,
        "a//b",
        "/a",
        "a/",
        "../x",
        "a/../b",
        "a b",
        "a\nb",
        "host:port/x",
        "ho_st.io/x",
        "a___b",
        "-a",
        "0" * 64,
        "a" * 256,
        "é",
        "x:latest\n",
        "a;b",
    ],
)
def test_wrong_names_are_refused_by_field(wrong: str) -> None:
    with pytest.raises(errors.InvalidField, match="cannot read image name") as caught:
        complete_name(wrong)
    assert [violation.field for violation in caught.value.violations] == ["image"]


def test_the_field_is_the_callers() -> None:
    with pytest.raises(errors.InvalidField) as caught:
        complete_name("A", field="options.name")
    assert caught.value.violations[0].field == "options.name"


def test_names_are_taken_apart() -> None:
    for name in ("h:1/x", "h:1/x:t", f"h:1/x@{DIGEST}", f"h:1/x:t@{DIGEST}"):
        assert repository(name) == "h:1/x"
    assert digest_of(f"x:t@{DIGEST}") == DIGEST
    assert digest_of("x:t") == ""


def test_digests_are_of_sha256() -> None:
    assert is_digest(DIGEST)
    assert not is_digest(DIGEST.upper())
    assert not is_digest(DIGEST + "\n")
