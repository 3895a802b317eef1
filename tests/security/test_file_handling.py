"""OWASP ASVS 5.0, chapter V5: what no other test says, and that the table names all that do.

https://github.com/OWASP/ASVS/blob/v5.0.0/5.0/en/0x14-V5-File-Handling.md
"""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from django.conf import settings as configured
from django.utils.http import parse_header_parameters
from PIL import Image
from pytest_django import Settings
from rest_framework.test import APIClient

from documents import kinds
from documents.models import Batch, Document, Workspace
from documents.services.uploads import Declaration, register
from documents.states import Status
from documents.storage import get_storage
from documents.storage.http import StorageApp
from documents.storage.local import LocalStorage
from processing import reading, turns
from processing.extraction import limits
from processing.models import StageName
from processing.previews import task
from processing.sandbox import Sandbox
from tests.documents.storage_server import Reply, send, serve
from tests.factories import make_document
from tests.processing.lifecycle import arrived, fresh
from tests.test_architecture import ROOT

ITEMS = (
    *("5.1.1", "5.2.1", "5.2.2", "5.2.3", "5.2.4", "5.2.5", "5.2.6"),
    *("5.3.1", "5.3.2", "5.3.3", "5.4.1", "5.4.2", "5.4.3"),
)
MIB, GIB = 1024**2, 1024**3
BELLS = turns.Bells(lambda stage: None, lambda: None)
# What some system runs, with the name of what nobody does.
PROGRAMS = {
    "Linux": b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0\x3e\0" + bytes(200),
    "Windows": b"MZ\x90\0" + bytes(56) + b"\x80\0\0\0" + bytes(64) + b"PE\0\0d\x86" + bytes(200),
    "Java": b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(200),
}
KEY = re.compile(r"incoming/(?P<id>[0-9a-f-]{36})/[0-9a-f]{16}")


def security() -> str:
    return (ROOT / "docs" / "security.md").read_text()


def rows(first: str) -> dict[str, list[str]]:
    """Return the rows of a table of the page by their first cell, which looks like this."""
    found = re.findall(rf"^\| ({first}) \| (.*) \|$", security(), re.MULTILINE)
    return {name: rest.split(" | ") for name, rest in found}


@pytest.fixture
def store(settings: Settings, tmp_path: Path) -> LocalStorage:
    settings.STORAGE_ROOT = tmp_path / "storage"
    return LocalStorage(settings.STORAGE_ROOT)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Verify in a sandbox that ends with the test; once closed, one never opens again."""
    made = Sandbox(tasks=[reading.DETECT])
    monkeypatch.setattr(reading, "sandbox", made)
    yield
    made.close()


def declared(path: str, size: int = 5) -> dict[str, Any]:
    return {"client_key": path, "path": path, "size": size}


def upload(api: APIClient, batch: Batch, *documents: dict[str, Any]) -> Any:
    return api.post(f"/api/v1/batches/{batch.id}/uploads", {"documents": documents}, format="json")


def fetched(url: str) -> Reply:
    """Return what the local store answers to a signed URL."""
    parts = urlsplit(url)
    with serve(StorageApp()) as address:
        return send(address, "GET", f"{parts.path}?{parts.query}")


def stored(batch: Batch, content: bytes, content_type: str, path: str) -> Document:
    document = make_document(
        batch, path=path, status=Status.READY, content_type=content_type, sha256="0" * 64
    )
    get_storage().put(document.final_key, content, content_type)
    Document.objects.filter(id=document.id).update(stored_key=document.final_key)
    return fresh(document)


# --- V5.1 documentation -----------------------------------------------------------


def test_every_item_of_the_chapter_has_its_row() -> None:
    assert tuple(rows(r"V5\.\d\.\d")) == tuple(f"V{item}" for item in ITEMS)


def test_every_test_that_the_table_names_exists() -> None:
    written = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", security())

    assert len(named) > len(ITEMS)
    assert [name for name in named if f"def {name}(" not in written] == []


def test_every_suffix_is_documented_with_its_kind() -> None:
    """V5.1.1: the types that are taken in, and the suffixes expected of them."""
    told = {kind: set(re.findall(r"`\.(\w+)`", cells[0])) for kind, cells in rows(r"\w+").items()}

    known = {kind.value: set(suffixes.split()) for kind, suffixes in kinds._SUFFIXES.items()}
    assert {kind: told[kind] for kind in known} == known


def test_the_largest_sizes_are_documented_as_they_are() -> None:
    """V5.1.1: how large a document may be, packed and unpacked."""
    told = rows(r"[a-z][\w ,]+")

    assert told["a document"][0] == f"{configured.MAX_DOCUMENT_BYTES // MIB} MiB"
    assert told["an archive, unpacked"][0] == (
        f"{configured.ARCHIVE_MAX_BYTES // GIB} GiB, {configured.ARCHIVE_MAX_ENTRIES:,} entries,"
        f" {configured.ARCHIVE_MAX_RATIO} times what it is packed in,"
        f" {configured.ARCHIVE_MAX_DEPTH} deep"
    )
    assert told["an Office document or book, unpacked"][0] == (
        f"{limits.MAX_INFLATED_BYTES // MIB:,} MiB, {limits.MAX_ENTRY_BYTES // MIB} MiB a part,"
        f" {limits.MAX_ENTRIES:,} parts, {limits.MAX_RATIO} times what it is packed in"
    )
    assert told["an image"][0] == f"{limits.MAX_MEGAPIXELS} megapixels"


# --- V5.2 upload and content ------------------------------------------------------


def test_a_document_beyond_the_limit_gets_no_link(api: APIClient, batch: Batch) -> None:
    """V5.2.1: what is too large to be worked on is refused before a byte of it moves."""
    Workspace.objects.update(max_document_bytes=1000)

    answer = upload(api, batch, declared("a.pdf", 1001), declared("b.pdf", 1000))

    (refused,), (taken,) = answer.json()["errors"], answer.json()["documents"]
    assert (refused["path"], refused["code"]) == ("a.pdf", "too_large")
    assert "upload" not in refused
    assert taken["client_key"] == "b.pdf"
    assert list(Document.objects.values_list("path", flat=True)) == ["b.pdf"]


@pytest.mark.parametrize("system", PROGRAMS)
@pytest.mark.parametrize("name", ["report.pdf", "photo.jpg", "letter.docx", "notes.txt"])
def test_a_program_under_another_name_is_rejected(
    sandbox: None, batch: Batch, store: LocalStorage, system: str, name: str
) -> None:
    """V5.2.2: the first bytes decide, whatever the suffix says."""
    document = arrived(batch, PROGRAMS[system], name)

    turns.work_on(StageName.VERIFY, BELLS)

    rejected = fresh(document)
    assert (rejected.status, rejected.error_code) == (Status.REJECTED, "type_refused")
    assert store.stat(document.final_key) is None


@pytest.mark.parametrize(
    ("name", "content", "content_type"),
    [
        ("report.pdf", b"<!doctype html><script>alert(1)</script>", "text/html"),
        ("photo.jpg", b"<html><body onload=alert(1)>", "text/html"),
        ("page.html", b"%PDF-1.4\n1 0 obj\nendobj\n", "application/pdf"),
        ("mail.eml", b"GIF89a\1\0\1\0\0\0\0;", "image/gif"),
    ],
)
def test_a_document_is_of_the_type_that_its_bytes_are(
    sandbox: None, batch: Batch, store: LocalStorage, name: str, content: bytes, content_type: str
) -> None:
    """V5.2.2: what is kept, read and served is the type that was found, not the suffix."""
    document = arrived(batch, content, name)

    turns.work_on(StageName.VERIFY, BELLS)

    found = fresh(document)
    assert (found.status, found.content_type) == (Status.PROCESSING, content_type)


def test_a_picture_with_vectors_in_it_is_rejected(
    sandbox: None, batch: Batch, store: LocalStorage
) -> None:
    """V5.2.2: SVG may carry scripts and entities, and is not taken in under any name."""
    svg = '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "ha">]><svg><script>1</script></svg>'
    documents = [arrived(batch, svg.encode() + b" " * n, f"{n}.png") for n in range(2)]

    turns.work_on(StageName.VERIFY, BELLS)

    assert {fresh(each).error_code for each in documents} == {"type_refused"}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP"])
def test_what_is_hidden_behind_a_picture_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """V5.2.2: images are written anew, of their pixels alone."""
    monkeypatch.chdir(tmp_path)
    whole = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 20, 20)).save(whole, kind)
    hidden = b"<script>alert(document.domain)</script>"
    (tmp_path / "a").write_bytes(whole.getvalue() + hidden)

    drawn = task.draw("a", "a", f"image/{kind.lower()}", {"title": "", "text": "", "label": ""})

    for picture in (drawn["image"], drawn["thumbnail"]):
        shown = Path(picture["name"]).read_bytes()
        assert shown.startswith(b"RIFF")
        assert b"script" not in shown


# --- V5.3 storage -----------------------------------------------------------------


def test_what_is_stored_is_in_no_folder_that_is_served() -> None:
    """V5.3.1: documents are no static files, nor is anything static beside them."""
    stored_in, served_from = Path(configured.STORAGE_ROOT), Path(configured.STATIC_ROOT)

    assert not stored_in.is_relative_to(served_from)
    assert not served_from.is_relative_to(stored_in)


@pytest.mark.parametrize("name", ["shell.php", "shell.py", "shell.cgi", "shell.jsp", ".htaccess"])
def test_a_script_comes_back_as_the_bytes_it_is(
    batch: Batch, api: APIClient, store: LocalStorage, name: str
) -> None:
    """V5.3.1: nothing that is uploaded is run, here or in the browser."""
    script = b'#!/bin/sh\n<?php system("id"); ?><% out.println(1) %>'
    document = stored(batch, script, "text/plain", name)

    reply = fetched(api.get(f"/api/v1/documents/{document.id}/download")["Location"])

    assert (reply.status, reply.body) == (200, script)
    assert reply.headers["content-disposition"].startswith("attachment;")
    modes = [path.stat().st_mode for path in store.root.rglob("*") if path.is_file()]
    assert modes
    assert [mode for mode in modes if mode & 0o111] == []


@pytest.mark.parametrize(
    "name",
    [
        *("..%2f..%2fetc%2fpasswd", "%2e%2e/passwd", "$(reboot).txt", "`id`.txt", "-rf.txt"),
        *("a;b|c&d.txt", "file:report.txt", "CON", "a\u202etxt.doc", "~root.txt", "{{7*7}}.html"),
    ],
)
def test_no_key_is_made_of_what_a_person_calls_a_document(
    batch: Batch, name: str, store: LocalStorage
) -> None:
    """V5.3.2: paths and keys of bytes are made here, of random numbers."""
    (accepted,) = register(batch, [Declaration(name, name, 5)]).uploads

    document = accepted.document
    match = KEY.fullmatch(document.incoming_key)
    assert match is not None
    assert UUID(match["id"]) == document.id
    assert document.final_key == (
        f"stored/{batch.workspace_id}/{document.incoming_key.removeprefix('incoming/')}"
    )


@pytest.mark.parametrize(
    "path",
    [
        *("../etc/passwd", "a/../../b", "/etc/passwd", "a//b", "./a", "a/.", "..", "C:\\a.txt"),
        *("http://169.254.169.254/latest", "file:///etc/passwd", "\\\\host\\share", "a\0b", "a\nb"),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(api: APIClient, batch: Batch, path: str) -> None:
    """V5.3.2: a path that names a place outside of the drop does not become a document."""
    answer = upload(api, batch, declared(path))

    # The zero byte is refused before anybody asks whether it is a path.
    assert answer.json()["code"] == ("invalid" if "\0" in path else "invalid_path")
    assert not Document.objects.exists()


# --- V5.4 download ----------------------------------------------------------------


def test_a_request_does_not_name_what_it_downloads(
    api: APIClient, batch: Batch, store: LocalStorage
) -> None:
    """V5.4.1: the name is the document's, whatever a parameter says."""
    document = stored(batch, b"text", "text/html", "folder/page.html")
    wishes = {
        "filename": "evil.exe",
        "name": "evil.exe",
        "response-content-disposition": "inline",
        "callback": "evil",
    }

    url = api.get(f"/api/v1/documents/{document.id}/download", wishes)["Location"]
    replies = [fetched(url), fetched(f"{url}&filename=evil.exe&inline=true")]

    for reply in replies:
        kind, told = parse_header_parameters(reply.headers["content-disposition"])
        assert (kind, told["filename"]) == ("attachment", "page.html")
        assert reply.headers["x-content-type-options"] == "nosniff"
