"""Limits of unpacking: how deep, how many, how much at once; and what is no archive to unpack."""

from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from documents.models import Batch, Document
from documents.states import Status
from processing import leases, reading
from processing.models import StageName
from processing.pipeline import get_stage
from tests.processing import archive_samples as samples
from tests.processing.archives import TWO, dropped, members_of, unpack, verified, work
from tests.processing.lifecycle import due, fresh

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("warm", "provider")]


def test_an_archive_in_an_archive_goes_one_level_further_until_it_is_too_deep(
    batch: Batch, settings: Settings
) -> None:
    settings.ARCHIVE_MAX_DEPTH = 2
    innermost = samples.zipped({"deep.txt": b"deep"})
    inner = samples.tarred({"innermost.zip": innermost, "b.txt": b"b"})
    outer = dropped(batch, samples.zipped({"inner.tgz": inner}), "outer.zip")

    assert unpack(outer) is None
    middle = verified(members_of(outer)["outer.zip/inner.tgz"])
    assert unpack(middle) is None
    last = members_of(outer)["outer.zip/inner.tgz/innermost.zip"]
    for _ in range(2):  # b.txt is before or after it.
        due()
        for lease in leases.claim(get_stage(StageName.VERIFY), uuid4(), limit=1):
            work(lease)
    error = unpack(last)

    assert error is not None
    assert error.detail == (
        "innermost.zip is an archive within 2 others, and archives are unpacked 2 deep."
    )
    assert "outer.zip/inner.tgz/b.txt" in members_of(outer)


def test_nested_archives_share_the_limits_of_the_one_that_was_dropped(
    batch: Batch, settings: Settings
) -> None:
    settings.ARCHIVE_MAX_ENTRIES = 4
    inner = [samples.zipped({f"{n}-{m}.txt": f"{n}{m}".encode() for m in range(3)}) for n in (1, 2)]
    outer = dropped(batch, samples.zipped({"1.zip": inner[0], "2.zip": inner[1]}), "outer.zip")
    assert unpack(outer) is None

    for _ in range(2):
        due()
        (lease,) = leases.claim(get_stage(StageName.VERIFY), uuid4(), limit=1)
        work(lease)
    errors = [unpack(members_of(outer)[f"outer.zip/{n}.zip"]) for n in (1, 2)]

    assert all(error is not None and "more than 4 documents" in error.detail for error in errors)


def test_a_bomb_fails_alone_and_registers_nothing(batch: Batch) -> None:
    document = dropped(batch, samples.overlapping_bomb(1024**2, 200), "bomb.zip")

    error = unpack(document)

    assert error is not None
    assert error.code == "too_complex"
    assert fresh(document).status == Status.FAILED
    assert members_of(document) == {}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (samples.locked(samples.zipped(TWO), TWO), "encrypted"),
        (samples.tarred({"a": bytes(range(256)) * 500}, "w:gz")[:600], "corrupt"),
        (samples.zipped({}), "empty"),
    ],
)
def test_what_cannot_be_unpacked_fails_with_one_sentence(
    batch: Batch, content: bytes, code: str
) -> None:
    document = dropped(batch, content, "a.tgz" if code == "corrupt" else "a.zip")

    assert unpack(document) is not None

    document = fresh(document)
    assert (document.status, document.error_code) == (Status.FAILED, code)


def test_steps_stay_within_the_room_that_a_worker_has(
    batch: Batch, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ARCHIVE_STEP_BYTES = 2500
    content = samples.tarred({f"{n}.txt": str(n).encode() * 1000 for n in range(5)})
    document = dropped(batch, content, "five.tar.gz")
    at_once: list[int] = []
    unpacked = reading.unpacked

    def watched(path: Any, document: Document, sizes: dict[int, int], *rest: Any) -> Any:
        at_once.append(sum(sizes.values()))
        return unpacked(path, document, sizes, *rest)

    monkeypatch.setattr(reading, "unpacked", watched)

    assert unpack(document) is None

    assert at_once == [2000, 2000, 1000]
    assert len(members_of(document)) == 5


def test_a_child_that_leaves_a_link_is_not_followed(tmp_path: Any) -> None:
    from processing.sandbox import open_left

    secret = tmp_path / "secret"
    secret.write_bytes(b"1234")
    (tmp_path / "soft").symlink_to(secret)
    (tmp_path / "hard").hardlink_to(secret)
    (tmp_path / "plain").write_bytes(b"1234")

    for name in ("soft", "hard"):
        with pytest.raises(OSError, match=r"symbolic links|not what it was said"):
            open_left(tmp_path / name, 4)
    with pytest.raises(OSError, match="not what it was said to be"):
        open_left(tmp_path / "plain", 5)
    with open_left(tmp_path / "plain", 4) as stream:
        assert stream.read() == b"1234"
