"""`manage.py ingest --watch`: what comes into a folder comes in, once it is whole."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from documents.errors import StorageError
from documents.folders import Found, Refused
from documents.models import Batch, Document, Workspace
from documents.services import batches, delivery, intake
from documents.services.watching import Watch
from documents.storage.local import LocalStorage
from processing import intake_watch
from tests.factories import make_user, make_workspace

Step = Callable[[], object]


class Script(threading.Event):
    """A time that passes only while the command waits, and what happens meanwhile."""

    def __init__(self, steps: list[Step]) -> None:
        super().__init__()
        self.now = 1000.0
        self._steps = steps

    def wait(self, timeout: float | None = None) -> bool:
        self.now += timeout or 0
        if self._steps:
            self._steps.pop(0)()
        else:
            self.set()
        return self.is_set()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "inbox"
    root.mkdir()
    (root / "a.txt").write_text("the first document")
    return root


@pytest.fixture(autouse=True)
def workspace(db: None) -> Workspace:
    workspace = make_workspace(name="Team")
    make_user("ann", workspace=workspace)
    return workspace


@pytest.fixture
def watched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Run the command while these steps happen, one in each of its waits."""

    def run(*steps: Step, settled: int = 2, **options: Any) -> dict[str, Any]:
        nothing: list[Step] = [lambda: None] * settled
        script = Script([*nothing, *(each for step in steps for each in (step, *nothing))])

        @contextmanager
        def stopping() -> Iterator[Script]:
            yield script

        monkeypatch.setattr("processing.management.commands.ingest.stopping", stopping)
        monkeypatch.setattr("processing.intake_watch.monotonic", lambda: script.now)
        output = StringIO()
        call_command("ingest", str(folder), watch=True, json=True, stdout=output, **options)
        answer: dict[str, Any] = json.loads(output.getvalue())
        return answer

    return run


def test_what_is_there_and_what_comes_is_brought_in(
    folder: Path, watched: Callable[..., dict[str, Any]]
) -> None:
    answer = watched(lambda: (folder / "b.txt").write_text("the second document"))

    assert (answer["sent"], answer["known"], answer["total"]) == (2, 0, 2)
    assert answer["counts"]["uploaded"] == 2


def test_a_second_watch_sends_only_what_came_meanwhile(
    folder: Path, watched: Callable[..., dict[str, Any]]
) -> None:
    first = watched()
    (folder / "b.txt").write_text("the second document")

    second = watched()

    assert second["batch"] == first["batch"]
    assert (second["sent"], second["known"], second["total"]) == (1, 1, 2)


def test_a_changed_document_is_added_beside_the_one_before(
    folder: Path, watched: Callable[..., dict[str, Any]]
) -> None:
    answer = watched(lambda: (folder / "a.txt").write_text("the first, in a second version"))

    assert (answer["sent"], answer["total"]) == (2, 2)
    assert set(Document.objects.values_list("path", flat=True)) == {"inbox/a.txt"}


def test_a_document_that_is_still_written_is_taken_when_it_is_whole(
    folder: Path, watched: Callable[..., dict[str, Any]]
) -> None:
    def grow() -> None:
        with (folder / "big.txt").open("a") as stream:
            stream.write("one more line\n")

    answer = watched(*[grow] * 5, settled=0, interval=2.0)
    assert answer["total"] == 1

    answer = watched(settled=3, interval=2.0)
    assert Document.objects.get(path="inbox/big.txt").size == 5 * len("one more line\n")


def test_a_download_under_way_is_taken_under_its_last_name(
    folder: Path, watched: Callable[..., dict[str, Any]]
) -> None:
    partial = folder / "b.pdf.crdownload"

    watched(
        lambda: partial.write_text("half of it"),
        lambda: partial.write_text("half of it and the rest"),
        lambda: partial.rename(folder / "b.pdf"),
    )

    assert sorted(Document.objects.values_list("path", flat=True)) == ["inbox/a.txt", "inbox/b.pdf"]


def test_what_vanishes_and_what_is_refused_stops_nothing(
    folder: Path, watched: Callable[..., dict[str, Any]]
) -> None:
    errors = StringIO()

    answer = watched(
        (folder / "a.txt").unlink,
        (folder / "empty.txt").touch,
        lambda: (folder / "c.txt").write_text("the third document"),
        stderr=errors,
    )

    assert answer["sent"] == 2
    assert [refused["code"] for refused in answer["refused"]] == ["empty"]
    assert errors.getvalue().count("empty.txt is empty") == 1


def test_storage_that_is_away_is_waited_for(
    folder: Path, watched: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "RETRY_SECONDS", ())
    put = LocalStorage.put

    def away(*_: Any) -> Any:
        raise StorageError("Storage is away.")

    monkeypatch.setattr(LocalStorage, "put", away)
    errors = StringIO()

    answer = watched(lambda: monkeypatch.setattr(LocalStorage, "put", put), stderr=errors)

    assert "Storage is away. It will be tried again." in errors.getvalue()
    assert answer["counts"]["uploaded"] == 1


def test_a_full_workspace_is_asked_again_after_a_while(
    folder: Path, watched: Callable[..., dict[str, Any]], workspace: Workspace
) -> None:
    Workspace.objects.filter(id=workspace.id).update(quota_bytes=0)

    def make_room() -> None:
        Workspace.objects.filter(id=workspace.id).update(quota_bytes=1000)

    answer = watched(make_room, interval=40.0)

    assert [refused["code"] for refused in answer["refused"]] == ["quota_exceeded"]
    assert answer["counts"]["uploaded"] == 1


def test_a_cancelled_batch_ends_the_watch(
    folder: Path, watched: Callable[..., dict[str, Any]], workspace: Workspace
) -> None:
    def cancel() -> None:
        batches.cancel_batch(Batch.objects.get(), make_user(workspace=workspace))
        (folder / "b.txt").write_text("the second document")

    with pytest.raises(CommandError, match="This batch is cancelled"):
        watched(cancel)


def test_a_watch_that_is_ended_completes_what_has_arrived(
    folder: Path, watched: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(20):
        (folder / f"{n}.txt").write_text(f"document {n}")
    stopped: list[intake_watch.Watcher] = []
    note = intake_watch.Watcher._note

    def note_and_stop(self: intake_watch.Watcher, outcome: Any) -> None:
        note(self, outcome)
        stopped.append(self)

    look = intake_watch.Watcher._look

    def look_until_noted(self: intake_watch.Watcher, stop: threading.Event) -> None:
        monkeypatch.setattr(stop, "is_set", lambda: bool(stopped))
        look(self, stop)

    monkeypatch.setattr(intake_watch.Watcher, "_note", note_and_stop)
    monkeypatch.setattr(intake_watch.Watcher, "_look", look_until_noted)

    answer = watched()

    assert answer["sent"] == 1
    assert answer["counts"]["uploaded"] >= 1
    assert watched(settled=2)["total"] == 21


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_both_ways_to_end_it_are_heard_and_given_back(signum: int) -> None:
    before = signal.getsignal(signum)

    with intake_watch.stopping() as stop:
        os.kill(os.getpid(), signum)
        assert stop.wait(5)

    assert signal.getsignal(signum) is before


@pytest.mark.parametrize("other", ["wait", "dry_run"])
def test_what_makes_no_sense_together_is_refused(folder: Path, other: str) -> None:
    with pytest.raises(CommandError, match="--watch never ends"):
        call_command("ingest", str(folder), watch=True, **{other: True})


def test_the_same_refusal_is_told_once_and_again_after_it_was_gone(folder: Path) -> None:
    watch = Watch([folder, folder / "nowhere"])

    told = [[each for each in watch.look(at) if isinstance(each, Refused)] for at in (0.0, 9.0)]

    assert [len(each) for each in told] == [1, 0]


def test_documents_are_hashed_several_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, workspace: Workspace
) -> None:
    together = threading.Barrier(intake.HASHES_AT_ONCE, timeout=30)
    real = intake._hash

    def meet(found: Found) -> str | Refused:
        together.wait()
        return real(found)

    monkeypatch.setattr(intake, "_hash", meet)
    documents = [Found(folder / "a.txt", f"{n}.txt", 18) for n in range(intake.HASHES_AT_ONCE)]

    (window,) = intake.declare(Batch(workspace=workspace), documents)

    assert [each.found.path for each in window if isinstance(each, intake.Declared)] == [
        found.path for found in documents
    ]
