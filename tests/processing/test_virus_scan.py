"""Where a scanner is configured, nothing is kept that it has not seen."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from config import doctor
from documents.errors import (
    InfectedError,
    LeaseLostError,
    ScannerError,
    SluiceError,
    TooLargeError,
)
from documents.models import Batch, Document
from documents.states import Status
from documents.storage import get_storage
from processing import leases, virus_scan
from processing.models import StageName
from processing.stage import Aside, Held, Result
from processing.stages import verify
from tests.factories import make_batch
from tests.processing.clamd import SIGNATURE, Daemon, clamd
from tests.processing.lifecycle import arrived, claim, fresh

CONTENT = b"The gate opens at dawn."
SECONDS = 2.0


@pytest.fixture
def daemon(settings: Settings) -> Iterator[Daemon]:
    with clamd() as running:
        settings.CLAMD_URL, settings.CLAMD_SECONDS = running.url, SECONDS
        yield running


@pytest.fixture
def root(settings: Settings, tmp_path: Path) -> Path:
    settings.STORAGE_ROOT = tmp_path / "storage"
    return tmp_path


@pytest.fixture
def batch(db: None, root: Path) -> Batch:
    return make_batch()


def verified(document: Document) -> Result:
    """Run verify once and settle it as a worker does."""
    lease = claim(document, StageName.VERIFY)
    ((_, result),) = verify.stage.run([Held(lease)])
    if isinstance(result, SluiceError):
        leases.fail(lease, result)
    else:
        assert not isinstance(result, Aside)
        leases.finish(lease, result, [StageName.EXTRACT])
    return result


def test_what_is_clean_was_seen_whole_and_goes_on(daemon: Daemon, batch: Batch) -> None:
    document = arrived(batch, CONTENT)

    verified(document)

    assert daemon.scanned == [CONTENT]
    assert fresh(document).status == Status.PROCESSING


def test_what_is_infected_is_rejected_with_its_name_and_its_bytes_go(
    daemon: Daemon, batch: Batch
) -> None:
    document = arrived(batch, CONTENT + SIGNATURE)

    verified(document)

    rejected = fresh(document)
    assert (rejected.status, rejected.error_code) == (Status.REJECTED, "infected")
    assert "Test.Signature" in rejected.error_detail
    assert get_storage().stat(document.final_key) is None


def test_while_the_scanner_is_away_documents_wait(
    daemon: Daemon, batch: Batch, settings: Settings
) -> None:
    settings.CLAMD_URL = "tcp://127.0.0.1:1"
    document = arrived(batch, CONTENT)

    result = verified(document)

    assert isinstance(result, ScannerError)
    waiting = fresh(document)
    assert (waiting.status, waiting.error_code) == (Status.UPLOADED, "scanner")
    assert waiting.retry_at is not None


def test_without_a_scanner_nobody_is_asked(batch: Batch, settings: Settings) -> None:
    settings.CLAMD_URL = ""
    document = arrived(batch, CONTENT)

    verified(document)

    assert fresh(document).status == Status.PROCESSING


def test_what_is_too_large_for_the_scanner_is_refused_as_such(
    daemon: Daemon, tmp_path: Path
) -> None:
    daemon.max_bytes = virus_scan.BLOCK_BYTES
    path = tmp_path / "large"
    path.write_bytes(bytes(8 * virus_scan.BLOCK_BYTES))

    with pytest.raises(TooLargeError):
        virus_scan.scan(path, daemon.url, SECONDS, lambda: None)


def test_a_lost_lease_ends_the_scan_between_two_blocks(daemon: Daemon, tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(bytes(4 * virus_scan.BLOCK_BYTES))

    def lost() -> None:
        raise LeaseLostError("Somebody else has it.")

    with pytest.raises(LeaseLostError):
        virus_scan.scan(path, daemon.url, SECONDS, lost)


def test_a_scanner_that_answers_nothing_clean_lets_nothing_through() -> None:
    for answer in ("", "stream: OKAY", "UNKNOWN COMMAND", "stream: OK FOUND"):
        with pytest.raises((ScannerError, InfectedError)):
            virus_scan._judge(answer)


def test_doctor_asks_the_scanner_for_its_version(daemon: Daemon) -> None:
    assert doctor._virus_scan().startswith("ClamAV 1.4.2/")
