"""What the doctor says of stores that are worse than those we have: one small server acts them."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from pytest_django import Settings

from config import doctor
from config.doctor import Level
from documents.errors import StorageError
from documents.storage.s3_client import S3Options
from documents.storage.s3_probe import Conduct, try_checksum, try_length, try_writing_once

CHECKSUM, ONCE, ANYTHING = "x-amz-checksum-sha256", "if-none-match", "content-length"


class ActedStore(BaseHTTPRequestHandler):
    """Take every upload whatever was signed, but for those with a header it refuses."""

    refused: ClassVar[str] = ""
    deleted: ClassVar[list[str]] = []

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(501 if self.refused in self.headers else 200)

    def do_DELETE(self) -> None:
        self.deleted.append(self.path)
        self._answer(204)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name above
        """Say nothing."""

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def options(settings: Settings) -> Iterator[S3Options]:
    """Say how to reach a store that is acted; the doctor looks at it too."""
    ActedStore.refused, ActedStore.deleted = "", []
    server = ThreadingHTTPServer(("127.0.0.1", 0), ActedStore)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.STORAGE_BACKEND = "s3"
    settings.S3 = {
        "bucket": "acted",
        "region": "us-east-1",
        "endpoint_url": f"http://127.0.0.1:{server.server_port}",
        "access_key_id": "key",
        "secret_access_key": "secret",
        "addressing_style": "path",
    }
    yield S3Options(**settings.S3)
    server.shutdown()
    server.server_close()


def look(monkeypatch: pytest.MonkeyPatch) -> dict[str, doctor.Finding]:
    monkeypatch.setattr(doctor, "CHECKS", ())
    return {finding.name: finding for finding in doctor.examine()}


def test_a_store_that_looks_at_nothing_is_found_out(options: S3Options) -> None:
    tries = (try_checksum, try_writing_once, try_length)

    assert [each(options) for each in tries] == [Conduct.IGNORES] * 3
    assert len(ActedStore.deleted) == len(set(ActedStore.deleted)) == 5


@pytest.mark.parametrize("header", [CHECKSUM, ONCE])
def test_a_header_that_is_refused_is_told_from_a_store_that_refuses_all(
    options: S3Options, header: str
) -> None:
    attempt = {CHECKSUM: try_checksum, ONCE: try_writing_once}[header]
    ActedStore.refused = header
    refused = attempt(options)
    ActedStore.refused = ANYTHING

    with pytest.raises(StorageError, match="501"):
        attempt(options)

    assert refused == Conduct.REFUSES


def test_doctor_says_which_setting_a_refusing_store_needs(
    options: S3Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for ActedStore.refused in (CHECKSUM, ONCE):
        found.append(look(monkeypatch))

    assert found[0]["Signed hash"].level == found[1]["Signed If-None-Match"].level == Level.FAIL
    assert found[0]["Signed hash"].advice == "Set S3_SIGN_CHECKSUM=false."
    assert found[1]["Signed If-None-Match"].advice == "Set S3_SIGN_IF_NONE_MATCH=false."


def test_doctor_warns_of_a_store_that_takes_any_length(
    options: S3Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = look(monkeypatch)["Signed length"]

    assert (finding.level, "verify" in finding.advice) == (Level.WARN, True)


def test_doctor_names_a_public_address_that_leads_nowhere(
    options: S3Options, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.S3 = {**settings.S3, "public_endpoint_url": "http://127.0.0.1:1"}

    finding = look(monkeypatch)["CORS"]

    assert finding.level == Level.FAIL
    assert "S3_PUBLIC_ENDPOINT_URL" in finding.advice


def test_without_a_bucket_nothing_is_said_of_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STORAGE_BACKEND = "local"

    assert look(monkeypatch) == {}
