"""What people are shown is complete, aligned, and cannot move their cursor."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from moorage import errors
from moorage.cli import tables, texts, times, views
from moorage.cli.completing import familiar
from moorage.v1 import container_pb2 as wire
from tests.fakes.service import BEGINNING


def stranded() -> wire.Container:
    container = wire.Container(
        id="0123456789abcdef0123456789abcdef",
        name="web",
        spec=wire.ContainerSpec(
            name="web",
            image="busybox",
            command=["sh", "-c"],
            args=["echo 'x y'"],
            env=["A=1"],
            labels={"tier": "front\x1b[2J"},
            stop_timeout=timedelta(seconds=3),
            auto_remove=True,
        ),
        create_time=BEGINNING,
    )
    status = container.status
    status.state, status.run = wire.CONTAINER_STATE_STRANDED, 2
    status.exit.code, status.exit.origin = 127, wire.EXIT_ORIGIN_START_FAILURE
    status.finish_time.FromDatetime(BEGINNING)
    status.error.reason, status.error.step = "COMMAND_NOT_FOUND", "task"
    status.error.message = "cannot start: no such program"
    left = status.leftovers.add(kind="cgroup", key="/moorage/x.2", reason="device busy")
    left.since.FromDatetime(BEGINNING)
    start = status.last_start
    start.run, start.trace_id = 2, "4bf92f"
    start.duration.FromMicroseconds(52_340)
    for name, offset, took, outcome in (
        ("record", 0, 1_200, wire.STEP_OUTCOME_DONE),
        ("task", 1_200, 41_000, wire.STEP_OUTCOME_FAILED),
        ("rootfs.undo", 43_000, 1_100_000, wire.STEP_OUTCOME_CANCELLED),
    ):
        step = start.steps.add(name=name, outcome=outcome)
        step.offset.FromMicroseconds(offset)
        step.duration.FromMicroseconds(took)
    start.steps[1].error = "no such program"
    return container


def restarting() -> wire.Container:
    spec = wire.ContainerSpec(image="busybox")
    spec.resources.memory_limit = 64 * 2**20
    spec.restart_policy.condition = wire.RESTART_CONDITION_ON_FAILURE
    spec.restart_policy.max_retries = 5
    container = wire.Container(id="0123456789abcdef" * 2, spec=spec, create_time=BEGINNING)
    status = container.status
    status.state, status.run, status.restart_count = wire.CONTAINER_STATE_RESTARTING, 3, 2
    status.exit.code, status.exit.origin = 137, wire.EXIT_ORIGIN_OOM
    status.restart.due_time.FromDatetime(BEGINNING)
    status.restart.attempt = 3
    return container


def plain(view: str) -> list[str]:
    import click

    return [line.rstrip() for line in click.unstyle(view).splitlines()]


def test_a_container_is_shown_with_the_steps_of_its_start() -> None:
    shown = plain(views.container(stranded(), BEGINNING + timedelta(minutes=5)))
    assert shown[0] == "web"
    assert "  state         STRANDED for 5 min, run 2" in shown
    assert "  entrypoint    sh -c" in shown
    assert "  arguments     'echo '\"'\"'x y'\"'\"''" in shown
    assert "  label         tier=front\\x1b[2J" in shown
    assert "  stop timeout  3.00 s" in shown
    assert "  exit          127 (it never ran)" in shown
    assert ("  error         cannot start: no such program (COMMAND_NOT_FOUND, step task)") in shown
    assert shown[shown.index("could not be released yet") + 1 :] == [
        "  KIND    KEY           SINCE  WHY",
        "  cgroup  /moorage/x.2  5 min  device busy",
        "",
        "start of run 2: 52.3 ms, trace 4bf92f",
        "  STEP         AFTER    TOOK     OUTCOME",
        "  record       0.0 ms   1.2 ms   done",
        "  task         1.2 ms   41.0 ms  failed     no such program",
        "  rootfs.undo  43.0 ms  1.10 s   cancelled",
    ]


def test_a_container_of_a_newer_server_is_still_shown() -> None:
    container = wire.Container(id="0" * 32)
    container.status.MergeFromString(b"\x08\x63")  # state 99
    assert views.state(container.status.state).text == "99"
    assert "99 for" in views.container(container)


def test_columns_are_as_wide_as_their_text_without_its_colour() -> None:
    rows: list[tuple[tables.Cell, str]] = [(tables.Coloured("a\nb", "red"), "x"), ("abcdef", "y")]
    assert tables.table(("A", "B"), rows).splitlines() == [
        "A       B",
        "\x1b[31ma\\nb\x1b[0m    x",
        "abcdef  y",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("wéb 猫", "wéb 猫"),
        ("a\x1b]0;title\x07", "a\\x1b]0;title\\x07"),
        ("\x9b31m\u202e", "\\x9b31m\\u202e"),
        ("tab\tline\n", "tab\\tline\\n"),
    ],
)
def test_what_moves_a_cursor_is_spelled_out(text: str, shown: str) -> None:
    assert texts.plain(text) == shown


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({}, "cannot do it: why"),
        ({"reason": "NAME_TAKEN"}, "cannot do it: why (NAME_TAKEN)"),
        (
            {"reason": "STEP_TIMED_OUT", "metadata": {"step": "task"}, "retry_after": 1.5},
            "cannot do it: why (STEP_TIMED_OUT, step task, try again in 1.5 s)",
        ),
        (
            {
                "violations": [
                    errors.Violation("spec.a", "why"),
                    errors.Violation("spec.b", "must be less"),
                ]
            },
            "cannot do it: why; spec.b must be less",
        ),
    ],
)
def test_an_error_is_one_line_with_its_reason(facts: dict[str, Any], line: str) -> None:
    error = errors.MoorageError("cannot do it: why", code=grpc.StatusCode.INTERNAL, **facts)
    assert texts.line(error) == line


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0004, "0.4 ms"), (0.5, "500.0 ms"), (3.214, "3.21 s"), (725, "12 min 5 s")],
)
def test_durations_have_the_unit_that_fits(seconds: float, shown: str) -> None:
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=seconds))
    assert times.took(duration) == shown


@pytest.mark.parametrize(
    ("ago", "shown"),
    [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (200_000, "2 d")],
)
def test_ages_have_one_unit(ago: int, shown: str) -> None:
    then = Timestamp()
    then.FromDatetime(BEGINNING)
    assert times.age(then, BEGINNING + timedelta(seconds=ago)) == shown


@pytest.mark.parametrize(
    ("amount", "shown"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 * 2**30, "3.0 GiB")]
)
def test_sizes_have_the_unit_that_fits(amount: int, shown: str) -> None:
    assert times.size(amount) == shown


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("docker.io/library/busybox:latest", "busybox"),
        ("docker.io/library/busybox:1.36", "busybox:1.36"),
        ("docker.io/someone/tool:latest", "someone/tool"),
        ("registry.example/library/x:latest", "registry.example/library/x"),
    ],
)
def test_images_are_offered_by_the_name_that_people_use(name: str, short: str) -> None:
    assert familiar(name) == short


def test_what_starts_again_by_itself_tells_why_and_when() -> None:
    lines = plain(views.container(restarting(), BEGINNING))
    told = {line.split()[0]: line.strip() for line in lines[1:]}
    assert told["state"].endswith("run 3, restarted 2 times by itself")
    assert told["restarted"].endswith("on failure, at most 5 times in a row")
    assert told["memory"].endswith("64.0 MiB")
    assert told["next"].endswith("attempt 3")
    assert told["exit"].endswith("137 (out of memory)")


def test_maps_are_shown_once_where_they_are_the_same() -> None:
    container = wire.Container(id="0" * 32)
    container.status.uid_mappings.add(inside=0, host=300000, size=10)
    container.status.gid_mappings.add(inside=0, host=300000, size=10)
    assert "ids      0-9 are 300000-300009 on the host" in views.container(container)
    container.status.gid_mappings[0].size = 11
    shown = views.container(container)
    assert "uids     0-9 are 300000-300009 on the host" in shown
    assert "gids     0-10 are 300000-300010 on the host" in shown
