"""What is in a dropped archive becomes documents of its batch, once, whatever happens."""

from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from documents import faults, progress
from documents.errors import LeaseLostError, SluiceError, StorageError
from documents.models import Batch, Document, Stream, Workspace
from documents.services import batches, delivery, uploads
from documents.services.deletion import delete
from documents.services.reprocessing import reprocess_one
from documents.states import Status
from documents.storage import get_storage
from documents.storage.local import LocalStorage
from processing import leases, reading, turns, unpacking
from processing.models import Chunk, PageText, StageName
from processing.numbering import number_events
from processing.pipeline import following, get_stage
from processing.stage import Held, Lease, Result
from tests.processing import archive_samples as samples
from tests.processing.lifecycle import arrived, claim, due, fresh, learn
from tests.processing.search_library import CompassEmbedder

pytestmark = pytest.mark.django_db

TWO = {"a.txt": b"the first document", "sub/b.txt": b"the second document"}
BELLS = turns.Bells(ring=lambda stage: None, ring_quarantine=lambda: None)


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    """Have the sandbox up before a test's transaction, which may not stand still for so long."""
    reading.start_sandbox()


@pytest.fixture(autouse=True)
def provider(monkeypatch: pytest.MonkeyPatch) -> CompassEmbedder:
    """The embedding provider, faked at the edge; it only counts tokens here."""
    compass = CompassEmbedder()
    for module in ("processing.stages.extract", "processing.stages.embed"):
        monkeypatch.setattr(f"{module}.get_embedder", lambda: compass)
    return compass


@pytest.fixture
def puts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of every object that is stored meanwhile."""
    keys: list[str] = []
    put = LocalStorage.put

    def counting(self: LocalStorage, key: str, *rest: Any) -> Any:
        keys.append(key)
        return put(self, key, *rest)

    monkeypatch.setattr(LocalStorage, "put", counting)
    return keys


def dropped(batch: Batch, content: bytes, path: str = "drop/two.zip") -> Document:
    """Return an archive that verify has taken in."""
    document = arrived(batch, content, path)
    return verified(document)


def verified(document: Document) -> Document:
    result = work(claim(document, StageName.VERIFY))
    assert result is None, result
    return fresh(document)


def work(lease: Lease) -> SluiceError | None:
    """Do what a worker does with one lease; return how it failed, if it did."""
    ((_, result),) = list(get_stage(lease.stage).run([Held(lease)]))
    return settle(lease, result)


def settle(lease: Lease, result: Result) -> SluiceError | None:
    if isinstance(result, SluiceError):
        leases.fail(lease, result)
        return result
    leases.finish(lease, result, following(lease.stage))
    return None


def claim_extract(document: Document) -> Lease:
    """Claim this archive's run, and leave the others as they are."""
    due()
    leased = leases.claim(get_stage(StageName.EXTRACT), uuid4(), limit=50)
    leased += leases.claim(get_stage(StageName.EXTRACT), uuid4(), limit=50, quarantine=True)
    for lease in leased:
        if lease.document_id != document.id:
            leases.hand_back(lease)
    return next(lease for lease in leased if lease.document_id == document.id)


def unpack(document: Document) -> SluiceError | None:
    return work(claim_extract(document))


def members_of(document: Document) -> dict[str, Document]:
    rows = Document.objects.filter(batch=document.batch).exclude(id=document.id)
    return {row.path: row for row in rows.order_by("path", "id")}


def text_of(document: Document) -> str:
    pages = PageText.objects.filter(document=document).order_by("number")
    return "\n".join(page.text for page in pages)


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


@pytest.mark.parametrize(
    "point",
    [
        "unpack.before_register",
        "presign.before_commit",
        "presign.after_commit",
        "unpack.before_deliver",
        "complete.before_commit",
        "complete.after_commit",
        "unpack.after_deliver",
        "unpack.before_listing",
        "extract.before_commit",
    ],
)
def test_an_attempt_that_ends_anywhere_is_gone_on_with(
    batch: Batch, point: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    document = dropped(batch, samples.zipped(TWO))
    lease = claim_extract(document)
    monkeypatch.setattr(faults, "_folder", str(tmp_path))
    (tmp_path / point).write_text("raise")

    with pytest.raises(faults.FaultError):
        work(lease)
    # As the reaper does with what a killed worker held.
    leases.hand_back(lease)
    assert unpack(document) is None

    members = members_of(document)
    assert len(members) == Document.objects.filter(batch=batch).count() - 1 == 2
    assert {member.status for member in members.values()} == {Status.UPLOADED}


def test_what_was_stored_before_a_kill_is_not_sent_again(
    batch: Batch, puts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = dropped(batch, samples.zipped(TWO))
    puts.clear()
    lease = claim_extract(document)
    with monkeypatch.context() as patch:
        patch.setattr(delivery, "_complete", lambda batch, ids: [])
        list(get_stage(StageName.EXTRACT).run([Held(lease)]))
    leases.hand_back(lease)
    assert {each.status for each in members_of(document).values()} == {Status.AWAITING}
    monkeypatch.setattr(reading, "unpacked", _must_not_be_called)

    assert unpack(document) is None

    assert {each.status for each in members_of(document).values()} == {Status.UPLOADED}
    assert len(puts) == 2


def test_storage_that_stays_away_is_tried_again_later(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = dropped(batch, samples.zipped(TWO))
    monkeypatch.setattr(delivery, "RETRY_SECONDS", ())
    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "put", _away)
        error = unpack(document)

    assert isinstance(error, StorageError)
    assert unpack(document) is None
    assert {each.status for each in members_of(document).values()} == {Status.UPLOADED}


def test_a_full_workspace_takes_what_fits_and_the_rest_after_a_retry(
    batch: Batch, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MAX_WINDOW", 1)
    document = dropped(batch, samples.zipped(TWO))
    workspace = Workspace.objects.get(id=batch.workspace_id)
    room = workspace.used_bytes + workspace.reserved_bytes + len(TWO["a.txt"])
    Workspace.objects.filter(id=workspace.id).update(quota_bytes=room)

    assert unpack(document) is not None

    document = fresh(document)
    assert (document.status, document.error_code) == (Status.FAILED, "quota_exceeded")
    assert [each.status for each in members_of(document).values()] == [Status.UPLOADED]

    Workspace.objects.filter(id=workspace.id).update(quota_bytes=room * 10)
    batches.retry(Document.objects.filter(id=document.id), user)
    assert unpack(document) is None
    assert len(members_of(document)) == 2
    assert {each.status for each in members_of(document).values()} == {Status.UPLOADED}


def test_cancelling_the_archive_stops_it(
    batch: Batch, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MAX_WINDOW", 1)
    document = dropped(batch, samples.zipped(TWO))
    lease = claim_extract(document)
    held = Held(lease)
    enlist = uploads.enlist

    def enlist_and_lose(*arguments: Any) -> Any:
        answer = enlist(*arguments)
        batches.cancel(Document.objects.filter(id=document.id), user)
        held.lose(LeaseLostError("The document was cancelled."))
        return answer

    monkeypatch.setattr(uploads, "enlist", enlist_and_lose)

    ((_, result),) = list(get_stage(StageName.EXTRACT).run([held]))

    assert isinstance(result, LeaseLostError)
    assert [each.status for each in members_of(document).values()] == [Status.AWAITING]

    monkeypatch.undo()
    embedder = CompassEmbedder()
    monkeypatch.setattr("processing.stages.extract.get_embedder", lambda: embedder)
    batches.resume(Document.objects.filter(id=document.id), user)
    assert unpack(document) is None
    assert {each.status for each in members_of(document).values()} == {Status.UPLOADED}
    assert len(members_of(document)) == 2


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


def test_members_cancelled_or_deleted_meanwhile_are_not_sent(
    batch: Batch, user: Any, puts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = dropped(batch, samples.zipped(TWO | {"c.txt": b"the third document"}))
    puts.clear()
    unpacked = reading.unpacked

    def change_minds(*arguments: Any) -> Any:
        members = members_of(document)
        batches.cancel(Document.objects.filter(id=members["drop/two.zip/a.txt"].id), user)
        delete(members["drop/two.zip/sub/b.txt"], user)
        return unpacked(*arguments)

    monkeypatch.setattr(reading, "unpacked", change_minds)

    assert unpack(document) is None

    states = {path: member.status for path, member in members_of(document).items()}
    assert states == {"drop/two.zip/a.txt": "cancelled", "drop/two.zip/c.txt": "uploaded"}
    assert len(puts) == 1


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
    learn(document)
    delete(members_of(document)["drop/two.zip/a.txt"], user)
    puts.clear()

    reprocess_one(fresh(document), user)
    assert unpack(document) is None

    assert len(members_of(document)) == 2
    assert len(puts) == 1


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


def test_keys_of_the_longest_paths_fit(batch: Batch) -> None:
    path = "/".join(["d" * 200] * 4) + "/a.tgz"
    folder = "e" * 200
    inner = f"{folder}/{'f' * (1024 - len(path) - len(folder) - 2)}"
    document = dropped(batch, samples.tarred([(inner, b"one"), (inner, b"two")]), path)

    assert unpack(document) is None

    keys = Document.objects.filter(batch=batch).values_list("client_key", "path")
    assert max(len(path) for _, path in keys) == 1024
    assert sum(len(path) == 1024 for _, path in keys) == 2


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


def _must_not_be_called(*_: Any) -> Any:
    raise AssertionError("it was called")


def _away(*_: Any) -> Any:
    raise StorageError("Storage is away.")
