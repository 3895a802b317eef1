"""Every place in the source where a process may end, × everything that may happen there."""

import hashlib
import os
import random
import re
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
from reportlab.pdfgen.canvas import Canvas

from documents import faults
from tests.chaos.client import Drop
from tests.chaos.installation import Installation
from tests.chaos.oracle import Oracle
from tests.chaos.scene import Scene
from tests.chaos.trials import Trial, Trials
from tests.processing.archive_samples import zipped
from tests.processing.picture_samples import png
from tests.processing.scan_samples import make_scan
from tests.stack import ROOT, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(7200)]

POINT = re.compile(r'faults\.point\("([a-z_.]+)"')
# A parser that breaks is what a damaged document is: test_poison goes there.
FOR_POISON = {"child.in_task"}
APPS = ("documents", "processing", "dashboard", "config")
PAUSE_SECONDS = 2
MOST_STOPS = 5
# So many places share a batch: with few trials each place has one action, else all four.
AT_ONCE = 8
A_FEW = ("left/one.txt", "left/two.txt")
# Larger than MULTIPART_BYTES of an installation under test. Who is struck while the parts are
# put together finds the object there afterwards, so another has to pass what comes then.
LARGE = ("parts/one.txt", "parts/two.txt", "parts/three.txt")
LARGE_BYTES = 110_000
# More than there are places where drawing one may break off.
N_PAGES = 6
FOUND = 302
# A page takes some tenths of a second, and a turn at them one second.
SCANNED_PAGES = 24
PARTS = (
    *("multipart.after_begin", "multipart.after_update"),
    *("multipart.before_complete", "multipart.after_complete"),
    *("part.before_copy", "part.before_mark", "part.after_mark"),
    *("assembly.before_link", "assembly.after_link", "assembly.half_removed"),
)


def points() -> list[str]:
    """Return every place that the source names."""
    sources = [path for app in APPS for path in sorted((ROOT / app).rglob("*.py"))]
    found = {name for path in sources for name in POINT.findall(path.read_text())}
    return sorted(found - FOR_POISON)


def cases(chance: random.Random, *, every_action: bool) -> list[dict[str, str]]:
    """Return what to arm in each batch: every place, with one action by chance or with all."""
    chosen: list[dict[str, str]] = []
    for _ in range(len(faults.ACTIONS) if every_action else 1):
        places = points()
        chance.shuffle(places)
        for start in range(0, len(places), AT_ONCE):
            chosen.append(dict.fromkeys(places[start : start + AT_ONCE], ""))
    for place in points():
        actions = chance.sample(faults.ACTIONS, len(faults.ACTIONS))
        for batch in chosen:
            if place in batch:
                batch[place] = actions.pop()
    return chosen


@pytest.mark.promise(
    "R2",
    "A process killed at any line: the batch finishes without a human",
    fault="every place in the source × SIGKILL, an error, a pause, a commit nobody learns of",
    trials=(1, 1),
)
def test_whatever_happens_wherever_the_batch_ends_complete(
    trials: Trials, scene: Scene, request: pytest.FixtureRequest
) -> None:
    every_action = request.config.getoption("--chaos") == "full"
    batches = cases(random.Random(trials.first_seed), every_action=every_action)
    trials.n = len(batches)
    for trial, case in zip(trials, batches, strict=True):
        print("struck at", case)
        strike(scene, trial, case)


def strike(scene: Scene, trial: Trial, case: dict[str, str]) -> None:
    """Drop a batch with these places armed, lead the work past them, and settle."""
    installation = scene.installation
    before = {point: installation.struck(point) for point in case}
    roads = [road for road in ROADS if set(case) & set(road.points)]
    for point, action in case.items():
        installation.arm(point, f"sleep {PAUSE_SECONDS}" if action == "sleep" else action)
    drop = scene.drop(trial)
    oracle = scene.watch(drop)
    for road in roads:
        road.lead(scene, oracle)
    drop.wait()
    try:
        wait_until(lambda: not _unstruck(installation, before), "all have struck", seconds=90)
    except AssertionError:
        pytest.fail(f"not struck: {_unstruck(installation, before)} of {case}")
    scene.settle(oracle)


def _unstruck(installation: Installation, before: dict[str, int]) -> list[str]:
    return [point for point, n in before.items() if installation.struck(point) <= n]


@dataclass(frozen=True)
class Road:
    """What leads past places that an undisturbed batch never passes."""

    points: tuple[str, ...]
    lead: Callable[[Scene, Oracle], None]


def by_failing(scene: Scene, oracle: Oracle) -> None:
    """Fail two documents: the first failure may be broken off before it is written."""
    for at in range(2):
        known = scene.installation.arm("extract.before_read", "raise")
        content = f"Failing {at} beside {oracle.drop.batch}".encode()
        scene.drop_documents("Failing", {f"failing-{at}.txt": content})
        scene.installation.wait_struck("extract.before_read", known=known)


def by_dying(scene: Scene, oracle: Oracle) -> None:
    """Kill the worker of a document that is surely still to be read."""
    scene.installation.arm("extract.before_read", "kill9")
    scene.drop_documents("Dying", {"dying.txt": f"Beside {oracle.drop.batch}".encode()})


def by_stopping_a_worker(scene: Scene, oracle: Oracle) -> None:
    """Send SIGTERM to a worker that stands still with a document in its hands.

    Again with another document when it was killed by something else before it gave it back.
    """
    installation = scene.installation
    before = installation.struck("hand_back.before_commit")
    for at in range(MOST_STOPS):
        known = installation.arm("extract.before_read", f"sleep {PAUSE_SECONDS}")
        content = f"Stopped {at} beside {oracle.drop.batch}".encode()
        scene.drop_documents("Stopped", {f"stopped-{at}.txt": content})
        pid = installation.wait_struck("extract.before_read", known=known)
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            os.kill(psutil.Process(pid).ppid(), signal.SIGTERM)
        wait_until(lambda pid=pid: not psutil.pid_exists(pid), "it has ended")  # type: ignore[misc]
        if installation.struck("hand_back.before_commit") > before:
            return


def by_closing_the_tab(scene: Scene, oracle: Oracle) -> None:
    """Send bytes that nobody says are complete: the sweep has to find them."""
    documents = {path: f"{path} of {oracle.drop.batch}".encode() for path in A_FEW}
    drop = Drop(scene.installation.url, scene.token, "Closed tab", documents, completes=False)
    drop.start()
    drop.join()
    scene.wait_searchable(drop.batch, len(A_FEW))


def by_sending_in_parts(scene: Scene, oracle: Oracle) -> None:
    """Send documents so large that they go in parts; a fault leaves them to be gone on with."""
    documents = {
        # Few words: they are to arrive, and not to be read for long.
        path: f"{path} of {oracle.drop.batch}".encode().ljust(LARGE_BYTES, b"\n")
        for path in LARGE
    }
    drop = scene.drop_documents("In parts", documents)
    hashes = sorted(hashlib.sha256(content).hexdigest() for content in documents.values())
    wait_until(lambda: arrived_whole(scene, drop.batch) == hashes, "they are verified", seconds=120)


def by_never_sending(scene: Scene, oracle: Oracle) -> None:
    """Register documents whose bytes never come, and let their time run out."""
    batch = str(scene.insist("POST", "batches", {"name": "Never sent"}).json()["id"])
    declared = [{"client_key": path, "path": path, "size": 10} for path in A_FEW]
    scene.insist("POST", f"batches/{batch}/uploads", {"documents": declared})
    scene.installation.execute(
        "update documents_document set upload_expires_at = now() - interval '1 s', "
        "created_at = created_at - interval '1 h' where batch_id = %s",
        batch,
    )
    wait_until(
        lambda: scene.counts(batch) == {"expired": len(A_FEW)}, "they are given up", seconds=60
    )


def by_changing_ones_mind(scene: Scene, oracle: Oracle) -> None:
    """Cancel the batch, and take it up again."""
    oracle.drop.wait_acknowledged(scene.n_documents // 2)
    scene.insist("POST", f"batches/{oracle.drop.batch}/cancel")
    scene.insist("POST", f"batches/{oracle.drop.batch}/resume")


def by_trying_again(scene: Scene, oracle: Oracle) -> None:
    """Drop something broken, and ask for another try although it cannot help."""
    broken = f"%PDF-1.7 {oracle.drop.batch} is cut off".encode()
    drop = scene.drop_documents("Broken", {"broken.pdf": broken})
    for tries in (1, 2):
        wait_until(
            lambda tries=tries: attempts_of(scene, drop.batch) >= tries,  # type: ignore[misc]
            "it has failed",
            seconds=90,
        )
        if tries == 1:
            scene.insist("POST", f"batches/{drop.batch}/retry")


def by_reading_anew(scene: Scene, oracle: Oracle) -> None:
    """Have some documents of the finished batch read again."""
    oracle.drop.wait()
    oracle.wait_finished()
    for document in list(oracle.drop.acknowledged.values())[:3]:
        scene.insist("POST", f"documents/{document}/reprocess")


def by_dropping_an_archive(scene: Scene, oracle: Oracle) -> None:
    """Drop an archive, whose members become documents beside it."""
    members = {path: f"{path} packed in {oracle.drop.batch}".encode() for path in A_FEW}
    drop = scene.drop_documents("Archive", {"few.zip": zipped(members)})
    scene.wait_ready(drop.batch, 1 + len(A_FEW))


def by_looking_at_pages(scene: Scene, oracle: Oracle) -> None:
    """Look at pages as they are drawn, whoever dies drawing one, and have them make room again."""
    drop = scene.drop_documents("Pages", {"pages.pdf": a_pdf(f"Beside {oracle.drop.batch}")})
    (document,) = drop.acknowledged.values()
    scene.wait_ready(drop.batch, 1)
    # Each breaks off at most once in each place, and then another page is drawn whole.
    answers = [
        scene.insist("GET", f"documents/{document}/pages/{number}").status_code
        for number in range(1, N_PAGES + 1)
    ]
    assert FOUND in answers, answers
    pages = "from documents_pageimage where document_id = %s"
    keys = [key for (key,) in scene.installation.rows(f"select key {pages}", document) if key]
    # As if it had been read anew.
    scene.installation.execute(
        "update documents_pageimage set generation = generation + 9 where document_id = %s",
        document,
    )
    wait_until(
        lambda: (
            not scene.installation.rows(f"select 1 {pages}", document)
            and not any(scene.storage.stat(key) for key in keys)
        ),
        "the pictures are gone",
        seconds=60,
    )


def a_pdf(text: str) -> bytes:
    stream = BytesIO()
    canvas = Canvas(stream)
    for number in range(N_PAGES):
        canvas.drawString(72, 720, f"{text}, page {number + 1}")
        canvas.showPage()
    canvas.save()
    return stream.getvalue()


def by_showing_a_picture(scene: Scene, oracle: Oracle) -> None:
    """Drop an image, which the installation's model looks at."""
    chance = random.Random(str(oracle.drop.batch))
    colour = (chance.randrange(200, 256), chance.randrange(50), chance.randrange(50))
    drop = scene.drop_documents("Picture", {"picture.png": png(colour)})
    scene.wait_ready(drop.batch, 1)
    rows = scene.installation.rows(
        "select count(*) from processing_imagevector v join documents_document d "
        "on d.id = v.document_id and d.live_generation = v.generation where d.batch_id = %s",
        drop.batch,
    )
    assert rows == [(1,)], rows


def by_scanning(scene: Scene, oracle: Oracle) -> None:
    """Drop a scan that takes several turns to be read."""
    pages = [f"Page {at} beside {oracle.drop.batch}." for at in range(SCANNED_PAGES)]
    with TemporaryDirectory() as folder:
        scanned = make_scan(Path(folder, "scan.pdf"), pages).read_bytes()
    drop = scene.drop_documents("Scanned", {"scan.pdf": scanned})
    scene.wait_ready(drop.batch, 1)


def by_deleting(scene: Scene, oracle: Oracle) -> None:
    """Delete documents for good: their rows go, their bytes, and what was drawn of them."""
    documents = {path: f"{path} deleted from {oracle.drop.batch}".encode() for path in A_FEW}
    drop = scene.drop_documents("Deleted", documents)
    # A picture that is stored after its document went is found by a sweep days later only.
    scene.wait_ready(drop.batch, len(A_FEW))
    keys = scene.stored_keys(drop.batch)
    assert len(keys) == 2 * len(A_FEW), keys
    for document in drop.acknowledged.values():
        scene.insist("DELETE", f"documents/{document}")
    assert scene.counts(drop.batch) == {}
    wait_until(
        lambda: not any(scene.storage.stat(key) for key in keys), "the bytes are gone", seconds=60
    )


# In this order: the first need work that is still under way, the last a batch that has ended.
# Minds change before anybody dies: a run that is called off is not there to be reaped.
ROADS = (
    Road(("cancel.before_commit", "resume.before_commit"), by_changing_ones_mind),
    Road(("fail.before_commit", "fail.after_commit"), by_failing),
    Road(("reap.before_commit", "reap.after_commit"), by_dying),
    Road(("hand_back.before_commit",), by_stopping_a_worker),
    Road(PARTS, by_sending_in_parts),
    Road(("sweep.before_accept",), by_closing_the_tab),
    Road(
        (
            *("page.after_claim", "page.before_store", "page.before_keep"),
            "pages.before_commit",
        ),
        by_looking_at_pages,
    ),
    Road(("expire.before_commit", "expire.after_commit"), by_never_sending),
    Road(("retry.before_commit",), by_trying_again),
    Road(
        (
            *("unpack.before_register", "unpack.before_deliver"),
            *("unpack.after_deliver", "unpack.before_listing"),
        ),
        by_dropping_an_archive,
    ),
    Road(("look.before_commit",), by_showing_a_picture),
    Road(("aside.before_commit",), by_scanning),
    Road(
        (
            *("delete.before_commit", "delete.after_commit"),
            *("dispose.before_delete", "dispose.after_delete"),
        ),
        by_deleting,
    ),
    Road(("reprocess.before_commit", "flip.before_commit"), by_reading_anew),
)


def test_an_unarmed_place_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_folder", str(tmp_path))
    (tmp_path / "elsewhere").write_text("raise")

    faults.point("here")

    assert (tmp_path / "elsewhere").exists()


def test_an_armed_place_strikes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_folder", str(tmp_path))
    (tmp_path / "here").write_text("raise")

    with pytest.raises(faults.FaultError, match="struck at here"):
        faults.point("here")
    faults.point("here")


def test_every_place_that_only_parts_pass_has_its_road() -> None:
    places = {name for name in points() if name.split(".")[0] in ("multipart", "part", "assembly")}

    assert places == set(PARTS)


def arrived_whole(scene: Scene, batch: str) -> list[str]:
    """Return the hashes of what verify found in the batch."""
    rows = scene.installation.rows(
        "select sha256 from documents_document where batch_id = %s and stored_key <> '' order by 1",
        batch,
    )
    return [row[0] for row in rows]


def attempts_of(scene: Scene, batch: str) -> int:
    """Return how often extracting the one document of a batch has failed for good."""
    rows = scene.installation.rows(
        "select count(*) from processing_stageattempt a join processing_stagerun r "
        "on r.id = a.run_id join documents_document d on d.id = r.document_id "
        "where d.batch_id = %s and a.outcome = 'permanent' and d.status = 'failed'",
        batch,
    )
    return int(rows[0][0])
