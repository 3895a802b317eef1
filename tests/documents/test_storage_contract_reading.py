"""What every storage backend promises about reading, and about objects put by the server."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from django.utils.http import parse_header_parameters

from documents.errors import InvalidError, InvalidPathError, ObjectMissingError
from documents.storage.interface import Storage
from tests.documents import storage_backends
from tests.documents.storage_backends import (
    BODY,
    PDF,
    Backend,
    presign,
    read,
    read_url,
    stat_of,
    upload,
)

backend = storage_backends.backend
storage = storage_backends.storage
key = storage_backends.key
final = storage_backends.final

# What a document may be called, and what its download is called then.
KEPT = (
    'a"; filename="b.exe',
    "x'; filename*=UTF-8''b.exe",
    "%0d%0aX-Injected: 1%22.pdf",
    "\U0001f9fe 2024 \U0001f469\u200d\U0001f467.pdf",
    "\U0001f9fe" * 62 + "255.pdf",
    "\u00e9" * 125 + "5.pdf",
)
HOSTILE_NAMES = {
    **dict(zip(KEPT, KEPT, strict=True)),
    "a\r\nSet-Cookie: x=1\r\n\r\n<script>.pdf": "a__Set-Cookie: x=1____<script>.pdf",
    "a\u2028b\u0085c\0.pdf": "a_b_c_.pdf",
    "invoice\u202efdp.exe": "invoice_fdp.exe",
    "\u2066fdp\u2069.exe": "_fdp_.exe",
    "a;b=c,d\\.pdf": "a;b=c,d_.pdf",
    "../../etc/passwd": ".._.._etc_passwd",
    "\ud83d": "_",
    "": "document",
}
DISPOSITION = re.compile(
    r"attachment; filename=\"[ !#$&-.0-\[\]-~]+\"; filename\*=UTF-8''(?:[\w.~-]|%[0-9A-F]{2})+",
    re.ASCII,
)


# --- a GET by signed URL --------------------------------------------------------


def test_signed_get_returns_the_bytes_as_an_attachment(
    backend: Backend, storage: Storage, final: str
) -> None:
    storage.put(final, BODY, PDF)

    reply = backend.send("GET", read_url(storage, final, filename="Bericht für Zoë.pdf"))

    assert (reply.status, reply.body) == (200, BODY)
    assert reply.headers["content-type"] == PDF
    assert reply.headers["etag"] == f'"{stat_of(storage, final).etag}"'
    assert reply.headers["content-disposition"].startswith("attachment;")
    assert (
        "filename*=UTF-8''Bericht%20f%C3%BCr%20Zo%C3%AB.pdf"
        in (reply.headers["content-disposition"])
    )


@pytest.mark.parametrize(("filename", "told"), HOSTILE_NAMES.items(), ids=map(ascii, HOSTILE_NAMES))
def test_any_name_comes_back_as_one_attachment_of_one_name(
    backend: Backend, storage: Storage, final: str, filename: str, told: str
) -> None:
    storage.put(final, BODY, PDF)

    reply = backend.send("GET", read_url(storage, final, filename=filename))

    assert (reply.status, reply.body) == (200, BODY)
    assert not {"set-cookie", "x-injected"} & set(reply.headers)
    disposition = reply.headers["content-disposition"]
    assert DISPOSITION.fullmatch(disposition), disposition
    kind, parameters = parse_header_parameters(disposition)
    assert (kind, parameters) == ("attachment", {"filename": told})


@pytest.mark.parametrize("content_type", ["image/webp", "image/png", "image/jpeg"])
def test_raster_images_are_shown_in_place_when_asked(
    backend: Backend, storage: Storage, final: str, content_type: str
) -> None:
    storage.put(final, BODY, content_type)

    shown = backend.send("GET", read_url(storage, final, content_type=content_type, inline=True))
    saved = backend.send("GET", read_url(storage, final, content_type=content_type))

    assert shown.headers["content-disposition"].startswith("inline;")
    assert saved.headers["content-disposition"].startswith("attachment;")


@pytest.mark.parametrize("content_type", ["image/svg+xml", "text/html", PDF, "IMAGE/SVG+XML"])
def test_active_types_are_never_shown_in_place(
    backend: Backend, storage: Storage, final: str, content_type: str
) -> None:
    storage.put(final, BODY, content_type)

    reply = backend.send("GET", read_url(storage, final, content_type=content_type, inline=True))

    assert reply.headers["content-disposition"].startswith("attachment;")


@pytest.mark.parametrize(
    ("asked", "first", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=4400-", 4400, 4500),
        ("bytes=-7", 4493, 4500),
        ("bytes=4490-99999", 4490, 4500),
        ("bytes=-99999", 0, 4500),
    ],
)
def test_range_returns_that_part(
    backend: Backend, storage: Storage, final: str, asked: str, first: int, stop: int
) -> None:
    storage.put(final, BODY, PDF)

    reply = backend.send("GET", read_url(storage, final), Range=asked)

    assert (reply.status, reply.body) == (206, BODY[first:stop])
    assert reply.headers["content-range"] == f"bytes {first}-{stop - 1}/{len(BODY)}"
    assert reply.headers["content-length"] == str(stop - first)


@pytest.mark.parametrize("asked", ["bytes=4500-", "bytes=9999-10000"])
def test_range_behind_the_end_is_refused(
    backend: Backend, storage: Storage, final: str, asked: str
) -> None:
    storage.put(final, BODY, PDF)

    assert backend.send("GET", read_url(storage, final), Range=asked).status == 416


def test_unchanged_object_is_not_sent_again(backend: Backend, storage: Storage, final: str) -> None:
    storage.put(final, BODY, PDF)

    reply = backend.send(
        "GET", read_url(storage, final), If_None_Match=f'"{stat_of(storage, final).etag}"'
    )

    assert (reply.status, reply.body) == (304, b"")


def test_expired_get_is_refused(backend: Backend, storage: Storage, final: str) -> None:
    storage.put(final, BODY, PDF)
    with backend.clock_set_back(seconds=301):
        url = read_url(storage, final)

    reply = backend.send("GET", url)

    assert reply.status == 403
    assert BODY not in reply.body


def test_tampered_get_is_refused(backend: Backend, storage: Storage, final: str) -> None:
    storage.put(final, BODY, PDF)
    url = read_url(storage, final)

    accepted = [
        field
        for field, forged in backend.tampered(url)
        if backend.send("GET", forged).status not in backend.enforced.denied
    ]

    assert accepted == []


def test_url_of_one_key_does_not_read_another(
    backend: Backend, storage: Storage, final: str
) -> None:
    secret = f"documents/{uuid.uuid4()}"
    storage.put(final, BODY, PDF)
    storage.put(secret, b"secret", PDF)

    reply = backend.send("GET", read_url(storage, final).replace(final, secret))

    assert reply.status == 403
    assert b"secret" not in reply.body


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_read_url_serves_no_other_method(
    backend: Backend, storage: Storage, key: str, method: str
) -> None:
    storage.put(key, BODY, PDF)

    reply = backend.send(method, read_url(storage, key), b"x", Content_Type=PDF)

    assert reply.status == 403
    assert read(storage, key) == BODY


def test_get_of_a_missing_object_is_not_found(
    backend: Backend, storage: Storage, final: str
) -> None:
    assert backend.send("GET", read_url(storage, final)).status == 404


def test_get_after_deletion_gives_nothing(backend: Backend, storage: Storage, key: str) -> None:
    upload(backend, presign(storage, key))
    storage.delete(key)

    reply = backend.send("GET", read_url(storage, key))

    assert reply.status == (404 if backend.enforced.graves_missing else 200)
    assert BODY[:10] not in reply.body


@pytest.mark.parametrize("wrong", [{"content_type": "a\r\nb"}, {"expires_seconds": 86_401}])
def test_impossible_download_is_not_signed(storage: Storage, final: str, wrong: Any) -> None:
    with pytest.raises(InvalidError):
        read_url(storage, final, **wrong)


# --- objects put and read by the server -------------------------------------------


@pytest.mark.parametrize("content", [b"", BODY, BODY * 1000], ids=len)
def test_put_stores_bytes(storage: Storage, final: str, content: bytes) -> None:
    stat = storage.put(final, content, PDF)

    assert storage.stat(final) == stat
    assert stat.size == len(content)
    assert datetime.now(UTC) - stat.modified_at < timedelta(minutes=1)
    assert read(storage, final) == content


def test_put_stores_a_stream(storage: Storage, final: str) -> None:
    storage.put(final, BytesIO(BODY * 1000), PDF)

    assert read(storage, final) == BODY * 1000


def test_put_replaces_what_was_there(storage: Storage, final: str) -> None:
    first = storage.put(final, BODY, PDF)
    second = storage.put(final, b"new", PDF)

    assert read(storage, final) == b"new"
    assert second.etag != first.etag


def test_put_of_a_stream_that_fails_leaves_the_old_object(storage: Storage, final: str) -> None:
    class Broken(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise EOFError

    storage.put(final, BODY, PDF)

    with pytest.raises(EOFError):
        storage.put(final, Broken(), PDF)

    assert read(storage, final) == BODY


def test_open_reads_from_anywhere(storage: Storage, final: str) -> None:
    storage.put(final, BODY, PDF)

    with storage.open(final) as stream:
        stream.seek(10)
        assert stream.read(5) == BODY[10:15]


def test_as_file_gives_a_path_with_the_bytes(storage: Storage, final: str) -> None:
    storage.put(final, BODY, PDF)

    with storage.as_file(final) as path:
        assert path.read_bytes() == BODY


def test_file_stays_when_its_object_is_promoted_meanwhile(
    storage: Storage, key: str, final: str
) -> None:
    stat = storage.put(key, BODY, PDF)

    with storage.as_file(key) as path:
        storage.promote(key, final, if_etag=stat.etag)
        assert path.read_bytes() == BODY
        storage.delete(final)
        assert path.read_bytes() == BODY

    with pytest.raises(ObjectMissingError), storage.as_file(key):
        pass


def test_missing_object_is_named_as_missing(storage: Storage, final: str) -> None:
    assert storage.stat(final) is None
    with pytest.raises(ObjectMissingError), storage.open(final):
        pass
    with pytest.raises(ObjectMissingError), storage.as_file(final):
        pass


@pytest.mark.parametrize("area", ["incoming", "documents"])
def test_deletion_is_safe_to_repeat(storage: Storage, area: str) -> None:
    key = f"{area}/{uuid.uuid4()}"
    storage.put(key, BODY, PDF)

    storage.delete(key)
    storage.delete(key)

    assert storage.stat(key) is None
    assert list(storage.list(key)) == []


def test_list_yields_what_starts_with_the_prefix(storage: Storage) -> None:
    folder = f"listed/{uuid.uuid4()}"
    keys = {f"{folder}/a", f"{folder}/b/c", f"{folder}/b"}
    for key in (*keys, f"listed/{uuid.uuid4()}/other"):
        storage.put(key, BODY, PDF)

    found = dict(storage.list(f"{folder}/"))

    assert set(found) == keys
    assert found[f"{folder}/a"] == storage.stat(f"{folder}/a")
    assert set(dict(storage.list(f"{folder}/b"))) == {f"{folder}/b", f"{folder}/b/c"}
    assert keys <= set(dict(storage.list("lis")))
    assert keys <= set(dict(storage.list("")))
    assert list(storage.list("nothing/here")) == []


def test_lists_a_folder_of_a_folder(storage: Storage) -> None:
    folder = f"derived/{uuid.uuid4()}"
    keys = {f"{folder}/a/1", f"{folder}/a/2/x", f"{folder}/ab/1"}
    for key in keys:
        storage.put(key, BODY, PDF)
    assert set(dict(storage.list(f"{folder}/"))) == keys
    assert set(dict(storage.list(f"{folder}/a/"))) == {f"{folder}/a/1", f"{folder}/a/2/x"}
    assert set(dict(storage.list(f"{folder}/a/2"))) == {f"{folder}/a/2/x"}
    assert list(storage.list(f"{folder}/a/3/")) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "/etc/passwd",
        "incoming/../x",
        "incoming/..",
        "./x",
        "a//b",
        "a/",
        "a b",
        "a\\b",
        "a\x00b",
        "a\n",
        "ä",
        "a~b",
        "incoming/" + "x" * 200,
    ],
)
def test_key_no_store_can_hold_is_refused(storage: Storage, wrong: Any) -> None:
    for use in (
        lambda: storage.stat(wrong),
        lambda: storage.put(wrong, b"", PDF),
        lambda: storage.delete(wrong),
        lambda: presign(storage, wrong),
        lambda: read_url(storage, wrong),
    ):
        with pytest.raises(InvalidPathError):
            use()
