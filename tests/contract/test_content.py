"""The content store: nothing is a blob before its digest was checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.protobuf import field_mask_pb2
from grpc import StatusCode

from moored.containerd_api import content_pb2
from tests.contract.blobs import COMMIT, STAT, WRITE, digest_of, info, message, read, store, write
from tests.contract.subjects import CALL_WITHIN, ROOT_LABEL, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.subjects import Subject

_ABSENT = digest_of(b"absent")


async def test_blob_is_written_part_by_part(subject: Subject) -> None:
    whole = b"first part, second part"
    expected = digest_of(whole)
    answers = await write(
        subject,
        message(WRITE, "parts", whole[:10], total=len(whole), expected=expected),
        message(WRITE, "parts", whole[10:], offset=10),
        message(COMMIT, "parts", offset=len(whole), labels=ROOT_LABEL),
    )
    assert [answer.offset for answer in answers] == [10, len(whole), len(whole)]
    assert answers[-1].digest == expected
    found = await info(subject, expected)
    assert (found.size, dict(found.labels)) == (len(whole), ROOT_LABEL)
    assert await read(subject, expected) == whole


async def test_last_answer_is_said_once_more_at_the_end(subject: Subject) -> None:
    async def messages() -> AsyncIterator[content_pb2.WriteContentRequest]:
        yield message(WRITE, "echo", b"echo")
        yield message(COMMIT, "echo", offset=4, labels=ROOT_LABEL)

    call = subject.content.Write(messages(), metadata=subject.metadata(), timeout=CALL_WITHIN)
    answers = [answer async for answer in call]
    assert [answer.action for answer in answers] == [WRITE, COMMIT, COMMIT]
    assert answers[1] == answers[2]


async def test_commit_without_an_offset_begins_again(subject: Subject) -> None:
    """Its offset is 0, which is where it then writes: all that was there is gone."""
    call = write(
        subject,
        message(WRITE, "forgetful", b"abc"),
        message(COMMIT, "forgetful", total=3, expected=digest_of(b"abc")),
    )
    refusal = await refused(call)
    assert refusal.code is StatusCode.FAILED_PRECONDITION
    assert "failed size validation: 0 != 3" in refusal.details


async def test_negative_offset_goes_on_where_it_is(subject: Subject) -> None:
    await write(
        subject,
        message(WRITE, "onwards", b"onwards"),
        message(COMMIT, "onwards", offset=-1, labels=ROOT_LABEL),
    )
    assert await read(subject, digest_of(b"onwards")) == b"onwards"


async def test_one_message_can_write_and_commit(subject: Subject) -> None:
    digest = await store(subject, b"at once", labels=ROOT_LABEL)
    assert await read(subject, digest) == b"at once"


async def test_wrong_digest_is_no_blob_and_can_be_mended(subject: Subject) -> None:
    wrong = write(
        subject,
        message(WRITE, "mended", b"mended"),
        message(COMMIT, "mended", offset=6, expected=_ABSENT),
    )
    refusal = await refused(wrong)
    assert refusal.code is StatusCode.FAILED_PRECONDITION
    assert "unexpected commit digest" in refusal.details
    assert (await refused(info(subject, _ABSENT))).code is StatusCode.NOT_FOUND
    right = message(COMMIT, "mended", offset=6, expected=digest_of(b"mended"), labels=ROOT_LABEL)
    await write(subject, message(STAT, "mended"), right)
    assert await read(subject, digest_of(b"mended")) == b"mended"


async def test_wrong_size_is_no_blob(subject: Subject) -> None:
    refusal = await refused(write(subject, message(COMMIT, "short", b"abc", total=4)))
    assert refusal.code is StatusCode.FAILED_PRECONDITION
    assert "failed size validation: 3 != 4" in refusal.details


async def test_write_beyond_the_end_is_out_of_range(subject: Subject) -> None:
    call = write(subject, message(WRITE, "gap", b"abc"), message(WRITE, "gap", b"x", offset=7))
    assert (await refused(call)).code is StatusCode.OUT_OF_RANGE


async def test_first_message_needs_a_reference(subject: Subject) -> None:
    refusal = await refused(write(subject, message(WRITE, "", b"abc")))
    assert refusal.code is StatusCode.INVALID_ARGUMENT


async def test_writing_what_is_there_already_exists(subject: Subject) -> None:
    digest = await store(subject, b"known", labels=ROOT_LABEL)
    for action in (STAT, WRITE):
        call = write(subject, message(action, "known-again", b"known", total=5, expected=digest))
        assert (await refused(call)).code is StatusCode.ALREADY_EXISTS
    late = message(COMMIT, "known-late", offset=5, expected=digest)
    call = write(subject, message(WRITE, "known-late", b"known"), late)
    assert (await refused(call)).code is StatusCode.ALREADY_EXISTS


async def test_write_can_be_taken_up_again(subject: Subject) -> None:
    await write(subject, message(WRITE, "broken-off", b"abc", total=6))
    [stat, _, _] = await write(
        subject,
        message(STAT, "broken-off"),
        message(WRITE, "broken-off", b"def", offset=3),
        message(COMMIT, "broken-off", offset=6, labels=ROOT_LABEL),
    )
    assert stat.offset == 3
    assert await read(subject, digest_of(b"abcdef")) == b"abcdef"


async def test_reference_has_one_writer_at_a_time(subject: Subject) -> None:
    call = subject.content.Write(metadata=subject.metadata(), timeout=CALL_WITHIN)
    await call.write(message(WRITE, "busy", b"a"))
    await call.read()
    refusal = await refused(write(subject, message(STAT, "busy")))
    assert refusal.code is StatusCode.UNAVAILABLE
    assert "locked" in refusal.details
    call.cancel()


async def test_aborted_write_begins_again(subject: Subject) -> None:
    await write(subject, message(WRITE, "given-up", b"abc"))
    await subject.call(subject.content.Abort, content_pb2.AbortRequest(ref="given-up"))
    [stat] = await write(subject, message(STAT, "given-up"))
    assert stat.offset == 0


async def test_abort_of_nothing_is_not_found(subject: Subject) -> None:
    request = content_pb2.AbortRequest(ref="nothing")
    call = subject.call(subject.content.Abort, request)
    assert (await refused(call)).code is StatusCode.NOT_FOUND


async def test_part_of_a_blob_can_be_read(subject: Subject) -> None:
    digest = await store(subject, b"0123456789", labels=ROOT_LABEL)
    assert await read(subject, digest, 2, 3) == b"234"
    assert await read(subject, digest, 8) == b"89"
    assert await read(subject, digest, 8, 30) == b"89"
    refusal = await refused(read(subject, digest, 11))
    assert refusal.code is StatusCode.OUT_OF_RANGE


async def test_what_is_not_there_is_not_found(subject: Subject) -> None:
    delete = content_pb2.DeleteContentRequest(digest=_ABSENT)
    update = content_pb2.UpdateRequest(info=content_pb2.Info(digest=_ABSENT))
    calls = (
        info(subject, _ABSENT),
        read(subject, _ABSENT),
        subject.call(subject.content.Delete, delete),
        subject.call(subject.content.Update, update),
    )
    for call in calls:
        assert (await refused(call)).code is StatusCode.NOT_FOUND


async def test_digest_has_a_grammar(subject: Subject) -> None:
    assert (await refused(info(subject, "none"))).code is StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("paths", "labels"),
    [
        (["labels.new"], {**ROOT_LABEL, "new": "yes"}),
        (["labels"], {"new": "yes"}),
        ([], {"new": "yes"}),
    ],
)
async def test_labels_are_updated_as_the_mask_says(
    subject: Subject, paths: list[str], labels: dict[str, str]
) -> None:
    digest = await store(subject, b"labelled", labels=ROOT_LABEL)
    request = content_pb2.UpdateRequest(
        info=content_pb2.Info(digest=digest, labels={"new": "yes"}),
        update_mask=field_mask_pb2.FieldMask(paths=paths),
    )
    updated = (await subject.call(subject.content.Update, request)).info
    assert updated.labels == labels


async def test_nothing_but_labels_is_updated(subject: Subject) -> None:
    digest = await store(subject, b"fixed", labels=ROOT_LABEL)
    request = content_pb2.UpdateRequest(
        info=content_pb2.Info(digest=digest, size=1),
        update_mask=field_mask_pb2.FieldMask(paths=["size"]),
    )
    refusal = await refused(subject.call(subject.content.Update, request))
    assert refusal.code is StatusCode.INVALID_ARGUMENT


async def test_deleted_blob_is_gone(subject: Subject) -> None:
    digest = await store(subject, b"brief", labels=ROOT_LABEL)
    await subject.call(subject.content.Delete, content_pb2.DeleteContentRequest(digest=digest))
    assert (await refused(info(subject, digest))).code is StatusCode.NOT_FOUND


async def test_list_takes_filters(subject: Subject) -> None:
    digest = await store(subject, b"found", labels={**ROOT_LABEL, "contract/name": "found"})
    await store(subject, b"not found", labels=ROOT_LABEL)
    request = content_pb2.ListContentRequest(filters=['labels."contract/name"==found'])
    replies = await subject.stream(subject.content.List, request)
    assert [blob.digest for reply in replies for blob in reply.info] == [digest]
