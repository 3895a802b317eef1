"""Every hostile document ends as it should: read as far as it goes, or with one error code.

Run where SLUICE_CORPUS names a folder of such documents.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from processing.sandbox import Sandbox
from tests.processing.hostile import DRAW, LIMITS, judge, judging
from tests.processing.hostile import READ as READING

HOSTILE = Path(os.environ.get("SLUICE_CORPUS", "/nonexistent")) / "hostile"
READ, UNPACKED = "read", "unpacked"
# None of them has more to give; the largest takes a second on a machine that is idle.
MOST_SECONDS = 30

pytestmark = pytest.mark.skipif(
    not HOSTILE.is_dir(), reason="SLUICE_CORPUS names no folder of documents"
)

# Pages without text are read here; whether anything is found in them is asked later.
ENDS = {
    "7z/0000-full_encrypted.7z": "unsupported",
    "7z/0002-test7Z_protected_passTika.7z": "unsupported",
    "bz2/0004-bzip2-8-file.txt.bz2": "unsupported",
    "bz2/0006-lbzip2-8-file.txt.bz2": "unsupported",
    "bz2/0008-test-file-1.csv.bz2": "unsupported",
    "bz2/0010-test-bz2.txt.bz2": "unsupported",
    "doc/0012-testWORD_protected_passtika.doc": "encrypted",
    "docx/0014-NullHeader.docx": READ,
    "docx/0016-protected_upper_case.docx": "encrypted",
    "docx/0018-testWORD_protected_passtika.docx": "encrypted",
    "docx/0020-test_recursive_embedded_npe.docx": READ,
    "eml/0022-fake-email-malformed-encoding.eml": READ,
    "eml/0024-test-invalid-date.eml": READ,
    "gif/0026-sample.gif": READ,
    "gz/0028-null_pointer.xml.gz": "unsupported",
    "gz/0030-bob.gz": "unsupported",
    "gz/0032-quine.gz": "unsupported",
    "gz/0034-example.arc.gz": "unsupported",
    "gz/0036-testWARC_multiple.warc.gz": "unsupported",
    "json/0038-file10_permahang.txt.json": "empty",
    "json/0040-file11_oom.txt.json": "empty",
    "json/0042-file7_badJson.pdf.json": "empty",
    "odt/0044-multi-part-broken.odt": READ,
    "p7m/0046-testPKCS17Sig-v2.xml.p7m": UNPACKED,
    "p7m/0048-testPKCS17Sig-v4.xml.p7m": UNPACKED,
    "p7m/0050-test.xml.p7m": UNPACKED,
    "p7m/0052-testPKCS7_enveloped_ind.p7m": "encrypted",
    "p7m/0054-testPKCS7_signed_data_ind.p7m": UNPACKED,
    # Its catalogue and the tree of its pages are zeros: nothing says which pages it has.
    "pdf/0056-unreadablemetadata.pdf": "corrupt",
    "pdf/0058-invalid-pdf-structure-pdfminer-one-page.pdf": READ,
    "pdf/0060-pdf-bad-color-space.pdf": READ,
    "pdf/0062-patch-code-t-middle-fuzzy.pdf": READ,
    "pdf/0064-password-is-test.pdf": "encrypted",
    # Neither pdfium nor pypdf decodes it.
    "pdf/0066-Brotli-Prototype-FileA.pdf": "unsupported",
    "pdf/0068-PDFBOX-3148-2-fuzzed.pdf": READ,
    "pdf/0070-REDHAT-1531897-0.pdf": "corrupt",
    "pdf/0072-bomb_giant.pdf": READ,
    "pdf/0074-bug1020226.pdf": "corrupt",
    "pdf/0076-bug1606566.pdf": READ,
    "pdf/0078-bug1980958.pdf": "corrupt",
    "pdf/0080-empty_protected.pdf": READ,
    "pdf/0082-extractPages_null_in_array.pdf": READ,
    "pdf/0084-issue15893_reduced.pdf": "encrypted",
    # Its key has 48 bits, which neither pdfium nor pypdf takes.
    "pdf/0086-issue19484_2.pdf": "encrypted",
    "pdf/0088-issue3371.pdf": "encrypted",
    "pdf/0090-issue6010_2.pdf": "encrypted",
    "pdf/0092-operator_list_cycle.pdf": READ,
    "pdf/0094-poppler-67295-0.pdf": READ,
    "pdf/0096-poppler-85140-0.pdf": READ,
    "pdf/0098-poppler-91414-0-53.pdf": READ,
    "pdf/0100-poppler-937-0-fuzzed.pdf": "corrupt",
    "pdf/0102-pr6531_2.pdf": "encrypted",
    "pdf/0104-recursiveCompositGlyf.pdf": READ,
    "pdf/0106-scan-bad.pdf": READ,
    "pdf/0108-2206.01062_pg3.pdf": "encrypted",
    "pdf/0110-testPDF_bad_page_303226.pdf": READ,
    "pdf/0112-testPDF_no_extract_no_accessibility_owner_user.pdf": "encrypted",
    "pdf/0114-testPDF_protected.pdf": READ,
    "pdf/0116-testUnicodePassword.pdf": "encrypted",
    "pptx/0118-fake-power-point-malformed.pptx": READ,
    "pptx/0120-powerpoint_malformed_pictures.pptx": READ,
    "pptx/0122-test_embedded_zip.pptx": READ,
    "rar/0124-test-documents.rar": "unsupported",
    "rtf/0126-testRTFInvalidUnicode.rtf": READ,
    "tar/0128-test-documents.tar": UNPACKED,
    "tgz/0130-TIKA-216.tgz": UNPACKED,
    "txt/0132-empty.txt": "empty",
    "txt/0134-file10_permahang.txt": "empty",
    "xls/0136-testEXCEL_protected_passtika.xls": "encrypted",
    "xlsx/0138-password_protected.xlsx": "encrypted",
    "xlsx/0140-protectedSheets.xlsx": READ,
    "xlsx/0142-testEXCEL_protected_passtika_2.xlsx": "encrypted",
    "zip/0144-testZipEntryNameCharsetShiftSJIS.zip": UNPACKED,
    "zip/0146-testZIP_corrupted_oom.zip": "corrupt",
    "zip/0148-droste.zip": UNPACKED,
    "zip/0150-moby.zip": UNPACKED,
    "zip/0152-test-documents.zip": UNPACKED,
    "zip/0154-testEmbedded.zip": UNPACKED,
    "zip/0156-testZip_with_DataDescriptor.zip": UNPACKED,
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with judging() as running:
        yield running


def test_no_hostile_document_is_left_out() -> None:
    there = {str(path.relative_to(HOSTILE)) for path in HOSTILE.rglob("*") if path.is_file()}

    assert there == set(ENDS)


@pytest.mark.parametrize(("name", "end"), ENDS.items())
def test_a_hostile_document_ends_as_it_should(sandbox: Sandbox, name: str, end: str) -> None:
    judged = judge(sandbox, READING, HOSTILE / name)

    assert judged.end == end, judged
    assert judged.peak_bytes is not None
    assert judged.peak_bytes < LIMITS.memory_bytes
    assert judged.seconds < MOST_SECONDS


@pytest.mark.parametrize("name", [name for name, end in ENDS.items() if end == READ])
def test_a_hostile_document_that_is_read_is_drawn_too(sandbox: Sandbox, name: str) -> None:
    judged = judge(sandbox, DRAW, HOSTILE / name)

    assert judged.end == "drawn", judged
    assert judged.peak_bytes is not None
    assert judged.peak_bytes < LIMITS.memory_bytes
    assert judged.seconds < MOST_SECONDS
