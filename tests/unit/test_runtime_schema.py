"""The law: what is built is a runtime spec by the OCI's own schema, for every kind of request.

The schema is not ours to carry: the distribution's package of the specification has it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from referencing import Registry
from referencing.jsonschema import DRAFT4

from moored.api import asked
from moored.model.identity import ContainerId, run_id
from moored.model.spec import Image
from moored.model.users import Identity
from moored.oci import runtime_spec
from moored.oci.devices import Given, Node
from moored.oci.lending import Lent
from moored.oci.runtime_spec import SpecRequest
from tests.golden.requests import PAIRS
from tests.unit.hosts import V1, V2

if TYPE_CHECKING:
    from moored.oci.host import Host
    from tests.golden.requests import Pair

_SCHEMA = Path("/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema")
_IMAGE = Image("busybox", "sha256:0", "sha256:1", args=("sh",))
_CONTAINER = ContainerId("0123456789abcdef" * 2)
_NODE = Node("/dev/loop0", "b", 7, 0, 0o660, 0, 6)

pytestmark = pytest.mark.skipif(not _SCHEMA.exists(), reason="the schema is not installed")


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft4Validator:
    files = {file.name: json.loads(file.read_text()) for file in _SCHEMA.glob("*.json")}
    named = [(name, DRAFT4.create_resource(content)) for name, content in files.items()]
    registry: Registry[Any] = Registry().with_resources(named)
    root = {**files["config-schema.json"], "id": ""}  # its parts are named by their files
    return jsonschema.Draft4Validator(root, registry=registry)


def _built(pair: Pair, host: Host, who: Identity | None) -> dict[str, Any]:
    spec = asked.spec(pair.spec, str)
    disks = {throttle.path: _NODE for throttle in spec.resources.blkio_throttles}
    devices = [Given(_NODE, d.destination or d.source, d.access or "rwm") for d in spec.devices]
    request = SpecRequest(
        container=_CONTAINER,
        run=run_id(_CONTAINER, 1),
        spec=spec,
        image=_IMAGE,
        cgroup="/moorage/x.1",
        files={"/etc/hosts": "/run/hosts"},
        host=host,
        who=who,
        lent=Lent(disks=disks, devices=tuple(devices), init="/bin/init"),
    )
    built: dict[str, Any] = json.loads(runtime_spec.build(request))
    return built


@pytest.mark.parametrize("host", [V1, V2], ids=["v1", "v2"])
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_every_spec_is_valid_by_the_oci_schema(
    schema: jsonschema.Draft4Validator, pair: Pair, host: Host
) -> None:
    built = _built(pair, host, Identity(1, 2, (2, 3), "/home"))
    assert [error.message for error in schema.iter_errors(built)] == []


def test_the_schema_refuses_what_is_none(schema: jsonschema.Draft4Validator) -> None:
    built = _built(PAIRS[0], V2, Identity(0, 0, (0,), "/root"))
    built["linux"]["resources"]["pids"] = {"limit": "many"}
    assert not schema.is_valid(built)
