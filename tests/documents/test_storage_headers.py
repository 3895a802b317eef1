"""The headers of a download, as pure functions."""

import pytest

from documents.errors import RangeNotSatisfiableError
from documents.storage.headers import byte_range, content_disposition, matches_etag


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("report.pdf", "filename=\"report.pdf\"; filename*=UTF-8''report.pdf"),
        ("é.pdf", "filename=\"e.pdf\"; filename*=UTF-8''%C3%A9.pdf"),
        ("日本.pdf", "filename=\"__.pdf\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.pdf"),
        ('a"b%.pdf', "filename=\"a_b_.pdf\"; filename*=UTF-8''a%22b%25.pdf"),
        ("a\r\nX: 1", "filename=\"a__X: 1\"; filename*=UTF-8''a__X%3A%201"),
        ("../a\\b", "filename=\".._a_b\"; filename*=UTF-8''.._a_b"),
        ("fdp.\u202eexe", "filename=\"fdp._exe\"; filename*=UTF-8''fdp._exe"),
        ("\U0001f9fe.pdf", "filename=\"_.pdf\"; filename*=UTF-8''%F0%9F%A7%BE.pdf"),
        ("\ud800", "filename=\"_\"; filename*=UTF-8''_"),
        ("", "filename=\"document\"; filename*=UTF-8''document"),
    ],
)
def test_any_filename_makes_one_safe_header(filename: str, expected: str) -> None:
    header = content_disposition(filename, "application/pdf", inline=False)

    assert header == f"attachment; {expected}"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=5-4",
        "bytes=a-b",
        "bytes=0-1,3-4",
        "lines=0-1",
        "bytes=--1",
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_range_that_is_not_one_byte_range_is_ignored(header: str | None) -> None:
    assert byte_range(header, 100) is None


@pytest.mark.parametrize(("header", "size"), [("bytes=0-", 0), ("bytes=-0", 100)])
def test_range_of_nothing_is_refused(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiableError):
        byte_range(header, size)


@pytest.mark.parametrize("header", ['"abc"', 'W/"abc"', '"x", "abc"', "*"])
def test_entity_tag_matches(header: str) -> None:
    assert matches_etag(header, "abc")


@pytest.mark.parametrize("header", [None, "", "abc", '"abcd"', '"x", "y"'])
def test_entity_tag_does_not_match(header: str | None) -> None:
    assert not matches_etag(header, "abc")
