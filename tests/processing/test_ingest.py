"""`manage.py ingest`: only what is missing is sent, and everything else is told."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from documents.errors import StorageError
from documents.folders import Found, Refused
from documents.models import Batch, Document, Workspace
from documents.services import arrivals, batches, delivery, intake
from documents.services.delivery import Taken
from documents.services.moves import move
from documents.services.uploads import Declaration, register
from documents.states import Status
from documents.storage import get_storage
from documents.storage.local import LocalStorage
from processing.models import StageRun, Worker
from tests.factories import make_batch, make_user, make_workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """A folder with two documents, one of them nested."""
    root = tmp_path / "drop"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_text("the first document")
    (root / "sub" / "b.txt").write_text("the second document")
    return root


@pytest.fixture(autouse=True)
def workspace() -> Workspace:
    """The only workspace, with one owner: nothing needs to be named."""
    workspace = make_workspace(name="Team")
    make_user("ann", workspace=workspace)
    return workspace


def ingest(*arguments: Any, **options: Any) -> dict[str, Any]:
    output = StringIO()
    call_command("ingest", *map(str, arguments), json=True, stdout=output, **options)
    answer: dict[str, Any] = json.loads(output.getvalue())
    return answer


def test_every_document_arrives_with_its_path_and_its_work(drop: Path) -> None:
    answer = ingest(drop)

    assert answer["sent"] == answer["total"] == answer["counts"]["uploaded"] == 2
    documents = Document.objects.filter(batch=answer["batch"]).order_by("path")
    assert [document.path for document in documents] == ["drop/a.txt", "drop/sub/b.txt"]
    assert all(get_storage().stat(document.incoming_key) for document in documents)
    assert StageRun.objects.filter(document__in=documents, stage="verify").count() == 2


def test_batch_is_named_after_the_folder_and_belongs_to_the_owner(
    drop: Path, workspace: Workspace
) -> None:
    batch = Batch.objects.get(id=ingest(drop)["batch"])

    assert batch.name == str(drop)
    assert batch.workspace == workspace
    assert batch.created_by is not None
    assert batch.created_by.get_username() == "ann"
    assert batch.expected_documents == 2


def test_second_run_sends_nothing(drop: Path, puts: list[str]) -> None:
    first = ingest(drop)
    puts.clear()

    second = ingest(drop)

    assert second["batch"] == first["batch"]
    assert (second["sent"], second["known"], second["total"]) == (0, 2, 2)
    assert puts == []


def test_second_run_sends_only_what_is_new(drop: Path) -> None:
    first = ingest(drop)
    (drop / "c.txt").write_text("the third document")

    second = ingest(drop)

    assert second["batch"] == first["batch"]
    assert (second["sent"], second["known"], second["total"]) == (1, 2, 3)


def test_changed_document_is_added_beside_the_one_before(drop: Path) -> None:
    ingest(drop)
    (drop / "a.txt").write_text("the first document, in a second version")

    second, third = ingest(drop), ingest(drop)

    assert (second["sent"], second["known"], second["refused"]) == (1, 1, [])
    assert (third["sent"], third["known"], third["total"]) == (0, 2, 3)


def test_run_that_ended_before_completing_is_completed_without_sending_again(
    drop: Path, puts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(arrivals, "complete", lambda batch, ids: ([], []))
        assert ingest(drop)["counts"]["awaiting"] == 2
    puts.clear()

    answer = ingest(drop)

    assert answer["counts"]["uploaded"] == 2
    assert puts == []


def test_empty_document_is_refused_and_the_others_go_on(drop: Path) -> None:
    (drop / "empty.txt").touch()

    answer = ingest(drop)

    assert answer["sent"] == 2
    assert answer["refused"] == [
        {
            "path": "drop/empty.txt",
            "code": "empty",
            "detail": "drop/empty.txt is empty; there is nothing in it to find.",
        }
    ]


def test_document_that_vanished_is_refused_and_the_others_go_on(
    drop: Path, workspace: Workspace
) -> None:
    batch = make_batch(workspace)
    gone = Found(drop / "gone.txt", "drop/gone.txt", 10)
    here = Found(drop / "a.txt", "drop/a.txt", (drop / "a.txt").stat().st_size)

    refused, taken = intake.send(batch, [gone, here])

    assert isinstance(refused, Refused)
    assert refused.error.code == "unreadable"
    assert taken == Taken("drop/a.txt", sent=True)


def test_document_that_grew_while_it_was_read_is_taken_back_with_its_quota(
    drop: Path, workspace: Workspace
) -> None:
    batch = make_batch(workspace)
    (refused,) = intake.send(batch, [Found(drop / "a.txt", "drop/a.txt", 3)])

    assert isinstance(refused, Refused)
    assert refused.error.code == "size_mismatch"
    document = Document.objects.get(batch=batch)
    assert document.status == Status.EXPIRED
    assert get_storage().stat(document.incoming_key) is None
    workspace.refresh_from_db()
    assert workspace.reserved_bytes == 0


def test_documents_beyond_the_quota_are_refused_one_by_one(
    drop: Path, workspace: Workspace
) -> None:
    Workspace.objects.filter(id=workspace.id).update(quota_bytes=20)

    answer = ingest(drop)

    assert [refused["code"] for refused in answer["refused"]] == ["quota_exceeded"] * 2
    assert answer["total"] == 0


def test_two_folders_of_one_name_lose_nothing(drop: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "drop"
    other.mkdir(parents=True)
    (other / "a.txt").write_text("another first document")

    answer = ingest(drop, other)

    assert (answer["sent"], answer["refused"]) == (3, [])


def test_what_a_browser_registered_is_completed_in_its_batch(
    drop: Path, workspace: Workspace
) -> None:
    batch = make_batch(workspace)
    size = (drop / "a.txt").stat().st_size
    register(batch, [Declaration("key-1", "drop/a.txt", size, content_type="text/plain")])

    answer = ingest(drop, "--batch", batch.id)

    assert answer["batch"] == str(batch.id)
    assert (answer["total"], answer["counts"]["uploaded"]) == (2, 2)


def test_cancelled_batch_is_not_continued_by_name(drop: Path, workspace: Workspace) -> None:
    batch = Batch.objects.get(id=ingest(drop)["batch"])
    batches.cancel_batch(batch, make_user(workspace=workspace))

    assert ingest(drop)["batch"] != str(batch.id)


def test_cancelled_batch_is_refused_by_id(drop: Path, workspace: Workspace) -> None:
    batch = Batch.objects.get(id=ingest(drop)["batch"])
    batches.cancel_batch(batch, make_user(workspace=workspace))
    (drop / "c.txt").write_text("the third document")

    with pytest.raises(CommandError, match="This batch is cancelled"):
        ingest(drop, "--batch", batch.id)


def test_storage_that_stays_away_ends_the_run_and_keeps_what_arrived(
    drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "RETRY_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(delivery, "PUTS_AT_ONCE", 1)
    put, tries = LocalStorage.put, iter(range(10))

    def fail_after_the_first(self: LocalStorage, key: str, *rest: Any) -> Any:
        if next(tries):
            raise StorageError
        return put(self, key, *rest)

    monkeypatch.setattr(LocalStorage, "put", fail_after_the_first)

    with pytest.raises(CommandError, match="Run the same command again"):
        ingest(drop)

    assert sorted(Document.objects.values_list("status", flat=True)) == ["awaiting", "uploaded"]
    # The first succeeded at once; the second was tried once and twice again.
    assert next(tries) == 4


def test_dry_run_tells_and_writes_nothing(drop: Path, puts: list[str]) -> None:
    (drop / "empty.txt").touch()

    answer = ingest(drop, "--dry-run")

    assert (answer["would_send"], answer["known"], answer["duplicates"]) == (2, 0, 0)
    assert answer["bytes"] == len("the first document") + len("the second document")
    assert [refused["code"] for refused in answer["refused"]] == ["empty"]
    assert not Batch.objects.exists()
    assert puts == []


def test_waiting_ends_when_every_document_has(drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def finish(seconds: float) -> None:
        move(Document.objects.all(), Status.PROCESSING)
        move(Document.objects.filter(path="drop/a.txt"), Status.READY)
        failed = {"error_code": "corrupt", "error_detail": "b.txt is damaged."}
        move(Document.objects.filter(path="drop/sub/b.txt"), Status.FAILED, **failed)

    monkeypatch.setattr("processing.outcome.time.sleep", finish)
    answer = ingest(drop, "--wait", stderr=StringIO())

    assert answer["searchable"] == 1
    assert answer["failed"] == [
        {"path": "drop/sub/b.txt", "code": "corrupt", "detail": "b.txt is damaged."}
    ]
    assert answer["documents_per_minute"] > 0


def test_strict_run_fails_when_a_document_was_refused(drop: Path) -> None:
    (drop / "empty.txt").touch()

    with pytest.raises(CommandError, match="--strict"):
        ingest(drop, "--strict")


def test_waiting_without_a_worker_says_so_and_ends_at_the_timeout(drop: Path) -> None:
    errors = StringIO()

    with pytest.raises(CommandError, match=r"Not everything had ended after 0 s\."):
        ingest(drop, "--wait", "--timeout", "0", stderr=errors)

    assert "No worker is running" in errors.getvalue()


def test_waiting_with_a_worker_says_nothing(drop: Path) -> None:
    now = timezone.now()
    Worker.objects.create(
        id=make_workspace().id,
        kind="worker",
        host="here",
        pid=1,
        version="1",
        started_at=now,
        seen_at=now,
    )
    errors = StringIO()

    with pytest.raises(CommandError):
        ingest(drop, "--wait", "--timeout", "0", stderr=errors)

    assert errors.getvalue() == ""


def test_place_must_be_named_when_there_are_several(drop: Path) -> None:
    make_user("bob", workspace=make_workspace(name="Other"))

    with pytest.raises(CommandError, match=r"There are: 'Other', 'Team'\."):
        ingest(drop)

    assert ingest(drop, "--user", "bob")["workspace"] != ingest(drop, "--workspace", "Team")


def test_user_outside_the_workspace_is_refused(drop: Path) -> None:
    make_user("bob", workspace=make_workspace(name="Other"))

    with pytest.raises(CommandError, match="bob is not in the workspace 'Team'"):
        ingest(drop, "--user", "bob", "--workspace", "Team")


def test_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is nothing at"):
        ingest(tmp_path / "nowhere")


def test_long_names_of_different_folders_stay_different(workspace: Workspace) -> None:
    user = make_user("bob", workspace=workspace)
    one, two = f"/{'x' * 300}/end", f"/y{'x' * 299}/end"

    opened = {
        intake.open_batch(workspace, user, name=name, expected_documents=0).id
        for name in (one, two, one)
    }

    assert len(opened) == 2
