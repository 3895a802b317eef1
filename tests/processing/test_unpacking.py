"""What is in a dropped archive becomes documents of its batch, once, whatever happens."""

from typing import Any

import pytest

from documents import progress
from documents.models import Batch, Document, Stream, Workspace
from documents.services.deletion import delete
from documents.services.reprocessing import reprocess_one
from documents.states import Status
from documents.storage import get_storage
from processing.models import Chunk
from processing.numbering import number_events
from tests.processing import archive_samples as samples
from tests.processing.archives import TWO, dropped, members_of, text_of, unpack, verified
from tests.processing.lifecycle import adorn, arrived, fresh, learn

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("warm", "provider")]


@pytest.mark.parametrize(
    ("name", "content"),
    [("two.zip", samples.zipped(TWO)), ("two.tar.xz", samples.tarred(TWO, "w:xz"))],
)
def test_members_become_documents_beside_the_archive(
    batch: Batch, name: str, content: bytes
) -> None:
    document = dropped(batch, content, f"drop/{name}")

    assert unpack(document) is None

    members = members_of(document)
    assert list(members) == [f"drop/{name}/a.txt", f"drop/{name}/sub/b.txt"]
    for (_, content), member in zip(TWO.items(), members.values(), strict=True):
        assert member.status == Status.UPLOADED
        with get_storage().open(member.incoming_key) as stream:
            assert stream.read() == content


def test_an_archive_is_found_by_what_was_in_it_and_ends_ready(batch: Batch) -> None:
    document = dropped(batch, samples.tarred_specials(), "special.tar")

    assert unpack(document) is None
    adorn(document)
    learn(document)

    document = fresh(document)
    assert document.status == Status.READY
    assert document.metadata == {
        "documents": "1",
        "refused": "8",
        "repeated": "0",
        "left_out": "0",
    }
    text = text_of(document)
    assert "good.txt (4 bytes)" in text
    assert "soft: It is a link, and links are not followed." in text
    assert "../outside.txt: Its name leads out of the archive." in text
    assert Chunk.objects.filter(document=document).exists()


def test_what_the_services_refuse_is_told_with_their_reason(batch: Batch) -> None:
    Workspace.objects.filter(id=batch.workspace_id).update(max_document_bytes=1000)
    long = "/".join(["x" * 200] * 6)
    content = samples.zipped(
        {"empty.txt": b"", "large.txt": b"x" * 1001, long: b"x", "bad\x01.txt": b"x", **TWO}
    )
    document = dropped(batch, content)

    assert unpack(document) is None

    assert len(members_of(document)) == 2
    lines = text_of(document).splitlines()
    assert any("empty.txt is empty" in line for line in lines)
    assert "large.txt: It is larger than 1000 bytes, which is the limit." in lines
    assert any("the limit is 1024" in line for line in lines)
    assert any("contains a control character" in line for line in lines)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_one_path_lose_nothing(batch: Batch) -> None:
    pairs = [("a.txt", b"one"), ("a.txt", b"two"), ("a.txt", b"one"), ("A.txt", b"three")]
    document = dropped(batch, samples.zipped(pairs))

    assert unpack(document) is None

    rows = Document.objects.filter(batch=batch).exclude(id=document.id)
    assert sorted(rows.values_list("path", "size")) == [
        ("drop/two.zip/A.txt", 5),
        ("drop/two.zip/a.txt", 3),
        ("drop/two.zip/a.txt", 3),
    ]
    assert "In the archive more than once\na.txt" in text_of(document)


def test_bytes_that_are_stored_already_are_duplicates(batch: Batch, puts: list[str]) -> None:
    original = verified(arrived(batch, TWO["a.txt"], "original.txt"))
    document = dropped(batch, samples.zipped(TWO))
    puts.clear()

    assert unpack(document) is None

    copy = members_of(document)["drop/two.zip/a.txt"]
    assert (copy.status, copy.duplicate_of_id) == (Status.DUPLICATE, original.id)
    assert len(puts) == 1


def test_progress_grows_by_the_members_and_does_not_drift(batch: Batch) -> None:
    document = dropped(batch, samples.zipped(TWO))
    number_events()
    stream = Stream.objects.get(name=f"batch:{batch.id}")
    assert sum(stream.state["counts"].values()) == 1

    assert unpack(document) is None
    number_events()

    stream.refresh_from_db()
    counted = {status: n for status, n in stream.state["counts"].items() if n}
    assert counted == progress.recompute(batch.id)["counts"] == {"uploaded": 2, "processing": 1}


def test_members_stay_when_their_archive_is_deleted(batch: Batch, user: Any) -> None:
    document = dropped(batch, samples.zipped(TWO))
    assert unpack(document) is None

    delete(document, user)

    rows = Document.objects.filter(batch=batch)
    assert set(rows.values_list("status", flat=True)) == {Status.UPLOADED}
    assert rows.count() == 2


def test_reading_an_archive_anew_brings_only_what_is_missing(
    batch: Batch, user: Any, puts: list[str]
) -> None:
    document = dropped(batch, samples.zipped(TWO))
    assert unpack(document) is None
    adorn(document)
    learn(document)
    delete(members_of(document)["drop/two.zip/a.txt"], user)
    puts.clear()

    reprocess_one(fresh(document), user)
    assert unpack(document) is None

    assert len(members_of(document)) == 2
    assert len(puts) == 1


def test_keys_of_the_longest_paths_fit(batch: Batch) -> None:
    path = "/".join(["d" * 200] * 4) + "/a.tgz"
    folder = "e" * 200
    inner = f"{folder}/{'f' * (1024 - len(path) - len(folder) - 2)}"
    document = dropped(batch, samples.tarred([(inner, b"one"), (inner, b"two")]), path)

    assert unpack(document) is None

    keys = Document.objects.filter(batch=batch).values_list("client_key", "path")
    assert max(len(path) for _, path in keys) == 1024
    assert sum(len(path) == 1024 for _, path in keys) == 2
