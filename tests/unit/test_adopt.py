"""Adoption makes records of evidence, guesses nothing, and gives nobody what another one has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moored.containerd.values import ContainerRecord, Layer, LayerKind, Runtime
from moored.ledger import marks
from moored.model.exits import Exit, Origin
from moored.model.identity import run_id
from moored.model.intent import Action, Intent
from moored.model.mounts import Mount, MountType
from moored.model.resources import Hold, Kind, Resource
from moored.model.restart import RestartCondition, RestartPolicy
from moored.model.secrets import Secret
from moored.model.spec import Spec
from moored.model.state import Exited, Restarting, Snapshot, Starting
from moored.verbs.adopt import Adopted, Evidence, adopt
from moored.verbs.audit import Trace
from tests.unit.samples import AT, snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

OURS = {"moorage/instance": "here"}


def starting(number: int, **spec: Any) -> Snapshot:
    before = snapshot(number)
    name = run_id(before.id, 1)
    resources = (
        Resource(Kind.TASK, name, 1),
        Resource(Kind.CONTAINER, name, 1),
        Resource(Kind.LAYER, before.id, 1, kept=True),
        Resource(Kind.ADDRESS, f"10.0.0.{number}", 1),
    )
    return replace(
        before,
        spec=Spec(image="busybox", **spec),
        state=Starting(AT),
        run=1,
        resources=resources,
        intent=Intent(Action.RUN),
        revision=number,
    )


def record(of: Snapshot, *, labels: dict[str, str] = OURS, mark: bytes | None = None) -> Any:
    mark = marks.write(of) if mark is None else mark
    run = run_id(of.id, of.run)
    return ContainerRecord(run, "busybox", of.id, b"", Runtime("runc", "runc"), labels, mark)


def layer(of: Snapshot, *, marked: bool = True) -> Layer:
    mark = marks.as_labels(marks.write(of)) if marked else {}
    return Layer(of.id, "", LayerKind.ACTIVE, {**OURS, **mark})


def evidence(
    *records: ContainerRecord,
    tasks: Sequence[str] = (),
    layers: Sequence[Layer] = (),
    traces: Sequence[Trace] = (),
    **more: Any,
) -> Evidence:
    given = {"volumes": {}, "can_open": lambda _: True, **more}
    return Evidence(
        instance="here",
        runs=records,
        layers=layers,
        tasks=frozenset(tasks),
        traces=traces,
        **given,
    )


def only(found: Evidence) -> Adopted:
    (one,) = adopt(found, AT).adopted
    return one


def test_a_run_that_has_a_task_is_left_to_recovery_as_it_was_recorded() -> None:
    before = starting(1, name="web")
    found = only(evidence(record(before), tasks=[f"{before.id}.1"], layers=[layer(before)]))
    assert found == Adopted(before, ())


def test_a_run_without_a_task_ended_and_nobody_knows_how() -> None:
    before = starting(1)
    found = only(evidence(record(before)))
    assert found.snapshot.state == Exited(Exit(255, Origin.UNKNOWN, AT))
    assert found.snapshot.started is None
    assert {r.hold for r in found.snapshot.resources} == {Hold.HELD}
    assert found.unknown == ("how its last run ended",)


def test_a_run_without_a_task_is_followed_by_what_its_policy_asks_for() -> None:
    before = starting(1, restart_policy=RestartPolicy(RestartCondition.ALWAYS))
    assert isinstance(only(evidence(record(before))).snapshot.state, Restarting)
    alone = only(evidence(layers=[layer(before)]))
    assert isinstance(alone.snapshot.state, Exited)


def test_a_container_at_rest_is_known_by_its_layer_and_holds_what_it_keeps() -> None:
    before = starting(1)
    found = only(evidence(layers=[layer(before)]))
    assert [r.kind for r in found.snapshot.resources] == [Kind.LAYER]


def test_an_exit_that_a_layer_tells_of_is_not_forgotten() -> None:
    before = replace(starting(1), state=Exited(Exit(3, Origin.PROCESS, AT)))
    found = only(evidence(layers=[layer(before)]))
    assert (found.snapshot.exit, found.unknown) == (Exit(3, Origin.PROCESS, AT), ())


def test_what_is_found_of_a_container_is_on_its_record() -> None:
    before = starting(1)
    run = f"{before.id}.1"
    traces = [
        Trace(Kind.TASK, run, run),
        Trace(Kind.LINK, "mv0", run),
        Trace(Kind.OUTPUT, f"{before.id}/1", run),
        Trace(Kind.FILES, "other.1", "other.1"),
    ]
    found = only(evidence(record(before), tasks=[run], traces=traces)).snapshot.resources
    assert found[: len(before.resources)] == before.resources
    assert found[len(before.resources) :] == (
        Resource(Kind.LINK, "mv0", 1, hold=Hold.HELD),
        Resource(Kind.OUTPUT, f"{before.id}/1", 1, kept=True, hold=Hold.HELD),
    )


def test_what_bears_no_record_is_passed_over_and_named() -> None:
    old, spoilt, foreign = starting(1), starting(2), starting(3)
    adoption = adopt(
        evidence(
            record(old, mark=b""),
            record(spoilt, mark=b"no mark"),
            record(foreign, labels={"moorage/instance": "there"}),
        ),
        AT,
    )
    assert adoption.adopted == ()
    assert {passed.container for passed in adoption.passed} == {old.id, spoilt.id}


def test_a_name_and_an_address_are_the_oldest_ones() -> None:
    first, second = starting(1, name="web"), starting(2, name="web")
    taken = replace(first.resources[3], run=1)
    second = replace(second, resources=(*second.resources[:3], taken))
    runs = [f"{one.id}.1" for one in (first, second)]
    one, two = adopt(evidence(record(first), record(second), tasks=runs), AT).adopted
    assert (one.snapshot.spec.name, two.snapshot.spec.name) == ("web", "")
    assert taken not in two.snapshot.resources
    assert len(two.unknown) == 2


def test_secrets_of_another_key_are_not_known() -> None:
    before = starting(1, secrets=(Secret("s", sealed="c2VhbGVk", size=6),))
    found = only(evidence(record(before), tasks=[f"{before.id}.1"], can_open=lambda _: False))
    assert found.unknown == ("the values of its secrets, which were sealed by another key",)


def test_volumes_are_those_on_the_disk_with_what_a_mount_says_of_them() -> None:
    mounts = (
        Mount(MountType.VOLUME, "/a", source="named", labels={"k": "v"}),
        Mount(MountType.VOLUME, "/gone", source="gone"),
    )
    before = starting(1, mounts=mounts)
    found = evidence(record(before), volumes={"named": AT, "other": AT})
    named, other = adopt(found, AT).volumes
    assert (named.name, named.labels, named.anonymous) == ("named", {"k": "v"}, False)
    assert (other.name, other.labels) == ("other", {})
