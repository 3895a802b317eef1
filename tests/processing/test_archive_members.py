"""What is in an archive is listed and taken out; what is hostile is refused, with a sentence."""

import hashlib
import io
import tarfile
import time
import zipfile
from pathlib import Path
from typing import Any

import psutil
import pytest

from documents.errors import CorruptError, EmptyDocumentError, EncryptedError, TooComplexError
from processing.extraction import detect, is_supported, media_types
from processing.extraction.entries import Allowed
from processing.extraction.members import Contents, list_members, unpack
from tests.processing import archive_samples as samples
from tests.processing import extraction_samples

MIB = 1024**2
ALLOWED = Allowed(entries=1000, total_bytes=256 * MIB, member_bytes=100 * MIB, ratio=200)
TWO = {"a.txt": b"first", "sub/b.txt": b"second"}
TARS = {
    media_types.TAR: "w",
    media_types.TAR_GZ: "w:gz",
    media_types.TAR_BZ2: "w:bz2",
    media_types.TAR_XZ: "w:xz",
}


def listed(tmp_path: Path, content: bytes, name: str = "a.zip", **limits: int) -> Contents:
    path = samples.write(tmp_path / "archive", content)
    allowed = Allowed(**(vars_of(ALLOWED) | limits))
    return list_members(path, detect(path, name), allowed)


def vars_of(allowed: Allowed) -> dict[str, Any]:
    return {name: getattr(allowed, name) for name in Allowed.__dataclass_fields__}


def paths_of(contents: Contents) -> list[str]:
    return [member.path for member in contents.members]


def reasons_of(contents: Contents) -> dict[str, str]:
    return {refused.path: refused.reason for refused in contents.refused}


@pytest.mark.parametrize(
    ("media_type", "content"),
    [(media_types.ZIP, samples.zipped(TWO))]
    + [(media_type, samples.tarred(TWO, mode)) for media_type, mode in TARS.items()],
)
def test_members_are_listed_and_taken_out(tmp_path: Path, media_type: str, content: bytes) -> None:
    path = samples.write(tmp_path / "stored-without-a-suffix", content)

    assert detect(path, "x") == media_type
    assert is_supported(media_type)
    contents = list_members(path, media_type, ALLOWED)
    assert paths_of(contents) == list(TWO)
    assert [member.sha256 for member in contents.members] == [
        hashlib.sha256(each).hexdigest() for each in TWO.values()
    ]
    assert Contents.from_json(contents.to_json()) == contents
    second = contents.members[1]
    unpack(path, media_type, {second.number: second.size}, tmp_path, ALLOWED)
    assert (tmp_path / str(second.number)).read_bytes() == b"second"
    assert not (tmp_path / str(contents.members[0].number)).exists()


def test_packages_of_programs_are_no_archives(tmp_path: Path) -> None:
    made = {
        media_types.DOCX: extraction_samples.make_docx(tmp_path / "a"),
        media_types.EPUB: extraction_samples.make_epub(tmp_path / "b", ["<p>x</p>"]),
        media_types.OPC: extraction_samples.make_zip(
            tmp_path / "c", {"[Content_Types].xml": "<Types/>", "visio/document.xml": "<x/>"}
        ),
        media_types.JAR: extraction_samples.make_zip(
            tmp_path / "d", {"META-INF/MANIFEST.MF": "Manifest-Version: 1.0"}
        ),
    }

    for media_type, path in made.items():
        assert detect(path, "x.zip") == media_type


def test_an_archive_with_a_folder_called_word_is_an_archive(tmp_path: Path) -> None:
    path = samples.write(tmp_path / "a", samples.zipped({"word/letter.txt": b"x"}))

    assert detect(path, "a.zip") == media_types.ZIP


def test_what_a_tar_is_not_is_not_taken_for_one(tmp_path: Path) -> None:
    import gzip

    path = samples.write(tmp_path / "a", gzip.compress(b"a log of many lines\n" * 500))

    assert not is_supported(detect(path, "a.log.gz"))


@pytest.mark.parametrize("mode", TARS.values())
def test_links_devices_and_names_that_lead_out_are_refused_one_by_one(
    tmp_path: Path, mode: str
) -> None:
    contents = listed(tmp_path, samples.tarred_specials(mode), "a.tar")

    assert paths_of(contents) == ["good.txt"]
    link, device = "It is a link, and links are not followed.", "It is a device or a pipe."
    out = "Its name leads out of the archive."
    assert reasons_of(contents) == {
        "soft": link,
        "hard": link,
        "device": device,
        "block": device,
        "pipe": device,
        "/etc/absolute.txt": out,
        "../outside.txt": out,
        "a/../../outside.txt": out,
    }


def test_links_and_names_that_lead_out_of_a_zip_are_refused(tmp_path: Path) -> None:
    hostile = samples.zipped({"../a": b"x", "/b": b"x", "C:\\c": b"x", "..\\d": b"x"})

    assert len(listed(tmp_path, hostile).refused) == 4
    assert list(reasons_of(listed(tmp_path, samples.zip_with_link()))) == ["link"]


def test_nothing_is_written_outside_of_the_directory_given(tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    path = samples.write(tmp_path / "a", samples.tarred({"../../evil": b"x", "good": b"good"}))

    unpack(path, media_types.TAR_GZ, {1: 4}, into, ALLOWED)

    assert [each.name for each in into.iterdir()] == ["1"]


def test_junk_is_left_out(tmp_path: Path) -> None:
    content = samples.zipped(
        {"__MACOSX/._a.txt": b"x", ".DS_Store": b"x", "x/node_modules/i.js": b"x", "a.txt": b"x"}
    )

    contents = listed(tmp_path, content)

    assert (paths_of(contents), contents.left_out) == (["a.txt"], 3)


def test_folders_and_dots_in_names_mean_nothing(tmp_path: Path) -> None:
    content = samples.tarred({"./a//b.txt": b"x"}, "w")

    assert paths_of(listed(tmp_path, content)) == ["a/b.txt"]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (samples.zipped({"Übersicht.txt": b"x"}), "Übersicht.txt"),
        (samples.raw_named_zip("Übersicht.txt".encode(), b"x"), "Übersicht.txt"),
        (samples.raw_named_zip("Übersicht.txt".encode("cp437"), b"x"), "Übersicht.txt"),
        (samples.zip_with_unicode_path("данные.txt", b"x"), "данные.txt"),
        (samples.zipped({"sub\\windows.txt": b"x"}), "sub/windows.txt"),
        (samples.tarred({"Übersicht.txt": b"x"}), "Übersicht.txt"),
        (samples.tarred({"\udcdcbersicht.txt": b"x"}), "Übersicht.txt"),
    ],
    ids=["flagged", "unflagged", "cp437", "extra field", "backslash", "tar", "tar of cp1252"],
)
def test_names_are_read_as_they_were_meant(tmp_path: Path, content: bytes, name: str) -> None:
    assert paths_of(listed(tmp_path, content)) == [name]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("pack", [samples.zipped, samples.tarred])
def test_members_of_one_name_are_all_there(tmp_path: Path, pack: Any) -> None:
    content = pack([("a.txt", b"one"), ("a.txt", b"two"), ("A.txt", b"three")])
    path = samples.write(tmp_path / "archive", content)
    media_type = detect(path, "a")

    contents = list_members(path, media_type, ALLOWED)
    unpack(
        path, media_type, {each.number: each.size for each in contents.members}, tmp_path, ALLOWED
    )

    assert paths_of(contents) == ["a.txt", "a.txt", "A.txt"]
    taken = [(tmp_path / str(each.number)).read_bytes() for each in contents.members]
    assert taken == [b"one", b"two", b"three"]


def test_a_flat_bomb_stops_at_the_ratio_and_not_when_the_memory_is_full(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("zeros", "w", force_zip64=True) as part,
    ):
        for _ in range(128):
            part.write(bytes(MIB))
    before = psutil.Process().memory_info().rss

    with pytest.raises(TooComplexError, match="far more than it holds"):
        listed(tmp_path, packed.getvalue())

    assert psutil.Process().memory_info().rss - before < 32 * MIB


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_bomb_in_a_tar_stops_too_even_in_what_nobody_wants(tmp_path: Path, mode: str) -> None:
    content = samples.tarred({"node_modules/zeros": bytes(100 * MIB), "a.txt": b"x"}, mode)

    with pytest.raises(TooComplexError, match="far more than it holds"):
        listed(tmp_path, content)


def test_an_overlapping_bomb_is_counted_as_often_as_it_unpacks(tmp_path: Path) -> None:
    content = samples.overlapping_bomb(MIB, 200)

    with pytest.raises(TooComplexError, match="far more than it holds"):
        listed(tmp_path, content)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    content = samples.zipped({str(n): bytes(MIB) for n in range(4)}, zipfile.ZIP_STORED)

    with pytest.raises(TooComplexError, match="more than 3 MiB"):
        listed(tmp_path, content, total_bytes=3 * MIB)


@pytest.mark.parametrize("pack", [samples.zipped, samples.tarred])
def test_100_000_entries_are_refused_within_seconds(tmp_path: Path, pack: Any) -> None:
    content = pack((f"{n:06}", b"") for n in range(100_000))
    started = time.process_time()

    with pytest.raises(TooComplexError, match="more than 1,000 entries"):
        listed(tmp_path, content)

    assert time.process_time() - started < 10


def test_a_size_that_is_a_lie_is_not_believed(tmp_path: Path) -> None:
    smaller = listed(tmp_path, samples.zip_with_sizes(b"x" * 5000, 10))
    larger = listed(tmp_path, samples.zip_with_sizes(b"x" * 5000, 2**31))

    assert reasons_of(smaller) == {"liar.txt": "It is damaged."}
    assert [member.size for member in larger.members] == [5000]


def test_a_member_that_is_too_large_is_refused_alone(tmp_path: Path) -> None:
    entries = {"large": b"x" * 2000, "small": b"x"}
    for content in (samples.zipped(entries), samples.tarred(entries)):
        contents = listed(tmp_path, content, member_bytes=1000)

        assert paths_of(contents) == ["small"]
        assert reasons_of(contents) == {
            "large": "It is larger than 1000 bytes, which is the limit."
        }


def test_a_damaged_member_is_refused_alone(tmp_path: Path) -> None:
    content = samples.zipped({"bad.txt": b"b" * 100, "good.txt": b"good"}, zipfile.ZIP_STORED)
    content = content.replace(b"b" * 100, b"c" * 100)

    contents = listed(tmp_path, content)

    assert paths_of(contents) == ["good.txt"]
    assert reasons_of(contents) == {"bad.txt": "It is damaged."}


def test_an_archive_with_a_password_is_refused_in_one_sentence(tmp_path: Path) -> None:
    content = samples.zipped(TWO)

    with pytest.raises(EncryptedError, match=r"^The archive is protected by a password\.$"):
        listed(tmp_path, samples.locked(content, TWO))

    contents = listed(tmp_path, samples.locked(content, ["a.txt"]))
    assert reasons_of(contents) == {"a.txt": "It is protected by a password."}


@pytest.mark.parametrize(
    "content",
    [
        samples.zipped({"a": b"x" * 5000}, zipfile.ZIP_STORED)[:3000],
        samples.tarred({"a": b"x" * 5000, "b": b"y"}, "w")[:3000],
        samples.tarred({"a": b"x" * 5000, "b": b"y" * 5000}, "w")[: 512 + 5120 + 100],
        samples.tarred({"a": b"x" * 5000, "b": b"y" * 5000}, "w")[: 512 + 5120],
        samples.tarred({"a": bytes(range(256)) * 500}, "w:gz")[:300],
        samples.tarred({"a": bytes(range(256)) * 500}, "w:xz")[:-20],
        samples.tarred({"a": bytes(range(256)) * 500}, "w:bz2")[:-20],
    ],
    ids=["zip", "in a member", "in a header", "between members", "gz", "xz", "bz2"],
)
def test_an_archive_that_was_cut_off_is_refused_whole(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CorruptError, match=r"^The archive is damaged or was cut off\.$"):
        listed(tmp_path, content, "a.tar.gz" if content[:2] != b"PK" else "a.zip")


def test_a_tar_with_noise_in_it_loses_nothing_silently(tmp_path: Path) -> None:
    content = bytearray(samples.tarred({"a": b"x", "b": b"y", "c": b"z"}, "w"))
    content[1024:1536] = b"noise" * 102 + b"no"

    with pytest.raises(CorruptError):
        listed(tmp_path, bytes(content), "a.tar")


@pytest.mark.parametrize("mode", TARS.values())
def test_an_empty_archive_says_so(tmp_path: Path, mode: str) -> None:
    with pytest.raises(EmptyDocumentError, match="nothing in it"):
        listed(tmp_path, samples.tarred({}, mode), "a.tar")
    with pytest.raises(EmptyDocumentError, match="nothing in it"):
        listed(tmp_path, samples.zipped({"folder/": b""}))


def test_a_tar_with_gaps_is_not_filled(tmp_path: Path) -> None:
    info = tarfile.TarInfo("gaps")
    info.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1"} | {
        "GNU.sparse.map": "0,1",
        "GNU.sparse.size": str(2**50),
        "GNU.sparse.name": "gaps",
    }
    info.size = 1
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(b"x"))

    contents = listed(tmp_path, packed.getvalue(), "a.tar")

    assert reasons_of(contents) == {"gaps": "It is stored with gaps, which are not filled."}
