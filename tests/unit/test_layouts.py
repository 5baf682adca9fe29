"""Both kinds of archives: what is for this host is found whole, or the archive is refused."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moored import errors
from moored.containerd.archive import read_archive
from moored.containerd.layouts import read_packages
from moored.containerd.platforms import Platform, this_host
from tests.unit.tars import (
    DOCKER_NAME,
    OCI,
    Bytes,
    configuration,
    described,
    digest,
    docker_files,
    index,
    layer,
    member,
    named,
    oci_files,
    oci_image,
    referred,
    tar,
    tar_of,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moored.containerd.layouts import Found

OTHER = "riscv64"
ONE, TWO = layer(one=b"1"), layer(two=b"2")


def read(files: Mapping[str, bytes], *, rename: str = "") -> list[Found]:
    return read_packages(read_archive(Bytes(tar_of(files))), this_host(), rename)


def names(found: list[Found]) -> list[list[str]]:
    return [one.names for one in found]


def platform(architecture: str) -> dict[str, object]:
    return {"platform": {"os": "linux", "architecture": architecture}}


def test_a_docker_archive_gets_a_manifest() -> None:
    [found] = read(docker_files(ONE, TWO))
    package = found.package
    assert found.names == [DOCKER_NAME]
    assert isinstance(package.manifest.content, bytes)
    made = json.loads(package.manifest.content)
    assert package.manifest.digest == digest(package.manifest.content)
    assert [one["digest"] for one in made["layers"]] == [digest(ONE), digest(TWO)]
    assert made["config"]["digest"] == package.config.digest
    assert package.manifest.holds == {
        "content.config": package.config.digest,
        "content.l.0": digest(ONE),
        "content.l.1": digest(TWO),
    }
    assert package.size == sum(
        (len(package.manifest.content), package.config.size, len(ONE), len(TWO))
    )


def test_layers_are_named_by_what_is_below_them() -> None:
    [found] = read(docker_files(ONE, TWO))
    below, top = found.package.layers
    assert below.chain_id == digest(ONE)
    pair = f"{digest(ONE)} {digest(TWO)}".encode()
    assert top.chain_id == f"sha256:{hashlib.sha256(pair).hexdigest()}"


def test_the_same_docker_image_is_the_same_manifest() -> None:
    [once], [again] = read(docker_files(ONE)), read(docker_files(ONE, tags=("other:1",)))
    assert once.package.target.digest == again.package.target.digest


def test_docker_layers_may_be_gzip() -> None:
    files = docker_files(ONE) | {"0/layer.tar": gzip.compress(ONE)}
    [found] = read(files)
    [only] = found.package.layers
    assert only.blob.media_type.endswith(".gzip")
    assert only.diff_id == digest(ONE)


def test_docker_layers_may_be_links_to_others() -> None:
    files = docker_files(ONE, ONE)
    del files["1/layer.tar"]
    link = member("1/layer.tar", kind=tarfile.SYMTYPE, link="../0/layer.tar")
    archive = read_archive(Bytes(tar(*(member(*one) for one in files.items()), link)))
    [found] = read_packages(archive, this_host(), "")
    assert [one.blob.digest for one in found.package.layers] == [digest(ONE)] * 2
    assert len(list(found.package.blobs())) == 3


def test_docker_tags_are_completed_and_all_kept() -> None:
    assert names(read(docker_files(tags=("busybox", "a/b:2")))) == [
        ["docker.io/library/busybox:latest", "docker.io/a/b:2"]
    ]


def test_an_oci_layout_is_taken_as_it_is() -> None:
    image = oci_image(ONE, TWO)
    [found] = read(oci_files(index(image.entry(**named("x:1"))), *image.blobs))
    assert found.names == ["docker.io/library/x:1"]
    assert found.package.target.digest == digest(image.manifest)
    assert [one.digest for one in found.package.blobs()][-1] == digest(image.manifest)


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("x:1", "docker.io/library/x:1"),
        ("localhost/x", "localhost/x:latest"),
    ],
)
def test_a_reference_that_is_more_than_a_tag_is_a_name(reference: str, name: str) -> None:
    image = oci_image()
    assert names(read(oci_files(index(image.entry(**referred(reference))), *image.blobs))) == [
        [name]
    ]


def test_an_image_of_several_names_is_one() -> None:
    image = oci_image()
    both = index(image.entry(**named("x:1")), image.entry(**named("x:2")))
    assert names(read(oci_files(both, *image.blobs))) == [
        ["docker.io/library/x:1", "docker.io/library/x:2"]
    ]


def test_of_an_index_the_manifest_for_this_host_is_taken() -> None:
    other, mine = oci_image(ONE, architecture=OTHER), oci_image(TWO)
    inner = index(other.entry(**platform(OTHER)), mine.entry(**platform(this_host().architecture)))
    outer = index(described(f"{OCI}.index.v1+json", inner, **named("x:1")))
    # What is for others need not be there.
    [found] = read(oci_files(outer, inner, *mine.blobs))
    assert found.package.target.digest == digest(inner)
    assert found.package.target.holds == {"content.m.1": digest(mine.manifest)}
    assert found.package.manifest.digest == digest(mine.manifest)


def test_without_a_platform_the_configuration_decides() -> None:
    other, mine = oci_image(ONE, architecture=OTHER), oci_image(TWO)
    both = index(other.entry(**named("x:1")), mine.entry(**named("x:1")))
    [found] = read(oci_files(both, *other.blobs, *mine.blobs))
    assert found.package.target.digest == digest(mine.manifest)


def test_what_is_not_an_image_is_passed_over() -> None:
    image = oci_image()
    unknown = {"platform": {"os": "unknown", "architecture": "unknown"}}
    artifact = described("application/spdx+json", b"{}")
    signed = image.entry(**unknown)
    listed = index(artifact, signed, image.entry(**named("x:1")))
    assert len(read(oci_files(listed, *image.blobs))) == 1


@pytest.mark.parametrize(
    ("host", "image", "fits"),
    [
        (("amd64", ""), ("amd64", "v1"), True),
        (("amd64", ""), ("x86_64", ""), True),
        (("amd64", ""), ("amd64", "v3"), False),
        (("arm64", ""), ("arm64", "v8"), True),
        (("aarch64", ""), ("arm64", "8"), True),
        (("arm64", ""), ("arm", "v8"), False),
        (("arm64", ""), ("", ""), True),
    ],
)
def test_platforms_have_several_spellings(
    host: tuple[str, str], image: tuple[str, str], fits: bool
) -> None:
    assert Platform("linux", *host).takes(Platform("Linux", *image)) is fits


def test_an_archive_for_others_says_for_whom() -> None:
    with pytest.raises(errors.ArchiveInvalid, match=f"it has linux/{OTHER}"):
        read(docker_files(architecture=OTHER))


def test_a_new_name_replaces_the_archives() -> None:
    assert names(read(docker_files(tags=None), rename="n")) == [["n"]]
    assert names(read(docker_files(tags=("a", "b")), rename="n")) == [["n"]]


def test_one_new_name_for_two_images_is_refused() -> None:
    one, two = oci_image(ONE), oci_image(TWO)
    both = oci_files(index(one.entry(), two.entry()), *one.blobs, *two.blobs)
    with pytest.raises(errors.InvalidField, match="holds 2 images") as caught:
        read(both, rename="n")
    assert caught.value.violations[0].field == "options.name"


def changed(files: Mapping[str, bytes], **entry: object) -> dict[str, bytes]:
    """Return the docker archive with its one entry changed."""
    [before] = json.loads(files["manifest.json"])
    return {**files, "manifest.json": written([before | entry])}


def without(files: Mapping[str, bytes], *gone: str) -> dict[str, bytes]:
    return {name: body for name, body in files.items() if not name.startswith(gone)}


IMAGE = oci_image(ONE)
NAMED = oci_files(index(IMAGE.entry(**named("x:1"))), *IMAGE.blobs)
MANIFEST = f"blobs/{digest(IMAGE.manifest).replace(':', '/')}"
ONE_BLOB = f"blobs/{digest(ONE).replace(':', '/')}"


def nested(depth: int) -> dict[str, bytes]:
    indexes = [index(IMAGE.entry())]
    for _ in range(depth):
        indexes.append(index(described(f"{OCI}.index.v1+json", indexes[-1], **named("x:1"))))
    return oci_files(indexes[-1], *indexes[:-1], *IMAGE.blobs)


def without_layers() -> dict[str, bytes]:
    empty = written(configuration())
    return changed(docker_files(ONE) | {"empty.json": empty}, Config="empty.json", Layers=[])


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"hello": b"x"}, "neither an index.json with an oci-layout nor a manifest.json"),
        ({"index.json": b"{}"}, "neither"),
        (docker_files() | {"manifest.json": b"{"}, "manifest.json is not as it should be"),
        (docker_files() | {"manifest.json": b"{}"}, "manifest.json is not as it should be"),
        (docker_files() | {"manifest.json": b"[]"}, "it has none at all"),
        (docker_files() | {"manifest.json": b"[" * 100_000}, "manifest.json is not as it"),
        (docker_files() | {"manifest.json": b'[{"Config": 1}]'}, "0.Config"),
        (docker_files(tags=None), "has no name"),
        (docker_files(tags=()), "has no name"),
        (docker_files(tags=("BAD NAME",)), "'BAD NAME' is no image name"),
        (docker_files(tags=(f"x@{digest(ONE)}",)), "names a digest"),
        (without(docker_files(), "0/"), "'0/layer.tar' is missing"),
        (docker_files() | {"0/layer.tar": TWO}, "the layer '0/layer.tar' is not what"),
        (docker_files() | {"0/layer.tar": b"\x28\xb5\x2f\xfd" * 9}, "compressed by zstd"),
        (docker_files() | {"0/layer.tar": b"BZh9" * 9}, "compressed by bzip2"),
        (changed(docker_files(), Config="gone.json"), "'gone.json' is missing"),
        (changed(docker_files(), Config="../gone.json"), "missing"),
        (changed(docker_files(), Layers=["../../etc/passwd"]), "missing"),
        (changed(docker_files(ONE), Layers=[]), "has 0 layers, its configuration 1"),
        (changed(docker_files(ONE), Layers=["0/layer.tar"] * 9), "has 9 layers"),
        (without_layers(), "has no layers"),
        (docker_files(*[ONE] * 128), "128 layers, and 127 can be stacked"),
        (docker_files(rootfs={"diff_ids": ["md5:1"]}), "rootfs.diff_ids.0"),
        (docker_files(rootfs=None), "rootfs"),
        (without(NAMED, MANIFEST), "is missing"),
        (without(NAMED, ONE_BLOB), "is missing"),
        (NAMED | {ONE_BLOB: TWO[:-1] + b"x"}, "is not what it should be: its digest"),
        (NAMED | {ONE_BLOB: ONE + b"x"}, "bytes, and should have"),
        (NAMED | {MANIFEST: IMAGE.manifest + b" "}, "bytes, and should have"),
        (oci_files(index(IMAGE.entry()), *IMAGE.blobs), "has no name"),
        (oci_files(index(IMAGE.entry(**referred("latest"))), *IMAGE.blobs), "has no name"),
        (oci_files(index({"mediaType": "x", "digest": "sha256:../../x", "size": 1})), "digest"),
        (oci_files(index({**IMAGE.entry(), "size": -1})), "size"),
        (oci_files(index()), "it has none at all"),
        (nested(5), "nested more than 4 deep"),
    ],
)
def test_wrong_archives_are_refused_and_told_why(files: Mapping[str, bytes], why: str) -> None:
    with pytest.raises(errors.ArchiveInvalid, match=why):
        read(files)


def test_an_encrypted_or_foreign_layer_is_refused_by_its_type() -> None:
    image = oci_image(ONE, media_type=f"{OCI}.layer.v1.tar+gzip+encrypted")
    with pytest.raises(errors.ArchiveInvalid, match=r"is of type .*encrypted"):
        read(oci_files(index(image.entry(**named("x:1"))), *image.blobs))


def test_two_images_of_one_name_are_refused() -> None:
    one, two = oci_image(ONE), oci_image(TWO)
    both = index(one.entry(**named("x:1")), two.entry(**named("x:1")))
    with pytest.raises(errors.ArchiveInvalid, match="two images called"):
        read(oci_files(both, *one.blobs, *two.blobs))


def test_documents_are_counted() -> None:
    other = oci_image(ONE, architecture=OTHER)
    many = index(*[other.entry() for _ in range(2000)])
    with pytest.raises(errors.ArchiveInvalid, match="more than 1000 manifests"):
        read(oci_files(many, *other.blobs))


def test_a_json_bomb_is_refused_unread() -> None:
    bomb = b'{"manifests": [' + b"0," * (2 << 20) + b"0]}"
    with pytest.raises(errors.ArchiveInvalid, match="4194304 are read"):
        read(oci_files(bomb))


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=150)
@given(
    name=st.sampled_from(sorted({*NAMED, *docker_files(ONE)})),
    body=st.one_of(
        st.binary(max_size=64),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["manifests", "digest", "size", "Config", "Layers", "rootfs"]),
                    inner,
                    max_size=4,
                )
            ),
        ).map(written),
    ),
)
def test_any_file_in_place_of_another_ends_in_images_or_a_refusal(name: str, body: bytes) -> None:
    for files in (NAMED, docker_files(ONE)):
        try:
            found = read(files | {name: body})
        except errors.ArchiveInvalid:
            continue
        assert found
