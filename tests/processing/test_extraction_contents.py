"""Real documents give the sentences, values, pages and members that other tools find in them.

Each expectation was taken from the file by other means: unzip and the XML, the plain
source, another library. Run where SLUICE_CORPUS names a folder of such documents.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import docx
import pypdf
import pytest
from docx.table import Table
from docx.text.paragraph import Paragraph
from lxml import html

from processing.extraction import detect
from processing.extraction.entries import Allowed
from processing.extraction.members import list_members
from tests.processing.extraction_samples import read, text_of

CORPUS = Path(os.environ.get("SLUICE_CORPUS", "/nonexistent"))
GOOD = CORPUS / "good"
ALLOWED = Allowed(entries=100, total_bytes=10**8, member_bytes=10**8, ratio=200)
LEAST_F1 = 0.98

pytestmark = pytest.mark.skipif(
    not GOOD.is_dir(), reason="SLUICE_CORPUS names no folder of documents"
)

# path, pages, what stands in the text
CONTENTS: list[tuple[str, int, tuple[str, ...]]] = [
    ("fake.docx", 1, ("Lorem ipsum dolor sit amet.",)),
    (
        "simple.docx",
        1,
        ("These are a few of my favorite things:", "Parrots", "Hockey", "DOYLESTOWN, PA 18901"),
    ),
    (
        "hlink-meta.docx",
        1,
        ("Two with link to bookmark.", "Six with link to https://foo.com?q=bar"),
    ),
    ("docx-shapes.docx", 1, ("<inline-image>", "<floating-shape>")),
    ("contains-pictures.docx", 1, ("An inline picture appears here>", "Duis aute irure dolor")),
    ("teams_chat.docx", 1, ("James Bond", "OK. Yeah.")),
    (
        "page-breaks.docx",
        5,
        ("First page, tab here:", "<<followed by text on same page"),
    ),
    ("docx-hdrftr.docx", 1, ("Last header para",)),
    ("simple.pptx", 2, ("Title Slide", "With a subtitle")),
    ("fake-power-point.pptx", 1, ("Adding a Bullet Slide", "Here is a lot of text!")),
    ("science-exploration-1p.pptx", 1, ("Code 660: Astrophysics Science Division",)),
    ("stanley-cups.xlsx", 2, ("Team: Maple Leafs; Location: TOR; Stanley Cups: 13",)),
    ("vodafone.xlsx", 1, ("Financial performance", "Nine quarters to 30 June 2023")),
    ("emoji.xlsx", 1, ("🤠", "😅")),
    ("fake.odt", 1, ("Lorem ipsum dolor sit amet.", "Leader\tSarah\tMark\tRyan")),
    ("simple.odt", 1, ("This is my second thought.", "DOYLESTOWN, PA 18901")),
    ("fake-doc.rtf", 1, ("Column 1", "Row 2, Cell 2")),
    ("language-docs/eng_spa_mult.rtf", 1, ("Todos los seres humanos nacen libres",)),
    ("winter-sports.epub", 10, ("ski",)),
    ("stanley-cups.csv", 1, ("Team: Flyers; Location: PHI; Stanley Cups: 2",)),
    ("table-semicolon-delimiter.csv", 1, ("Year: 2023; Month: 2; Revenue: 143,1; Costs: -814,38",)),
    ("stanley-cups.tsv", 1, ("Team: Blues; Location: STL; Stanley Cups: 1",)),
    ("stanley-cups-with-emoji.tsv", 1, ("Stanley Cups",)),
    ("arbitrary-records.json", 1, ("sku: GRD-3317", "name: Pruning Shears", "price: 24.99")),
    ("single-line-object.json", 1, ("name: Garden Trowel", "in_stock: true")),
    ("simple.ndjson", 1, ("text: These are a few of my favorite things:",)),
    ("arbitrary-records.ndjson", 1, ("GRD-1290",)),
    ("factbook.xml", 1, ("Trinidad & Tobado", "capital: Port of Spain")),
    ("ideas-page.html", 1, ("The way to get new ideas is to notice anomalies",)),
    ("example-with-scripts.html", 1, ("Russian Offensive Campaign Assessment, December 13",)),
    ("README.org", 1, ("The sample docs directory contains the following files:",)),
    ("README.rst", 1, ("The sample docs directory contains the following files:",)),
    ("README.md", 1, ("The sample docs directory contains the following files:",)),
    ("eml/fake-email.eml", 1, ("Subject: Test Email", "Roses are red")),
    ("fake-email.msg", 1, ("Subject: Test Email", "Violets are blue")),
]
ATTACHED = {
    "fake-email-attachment.msg": ["fake-attachment.txt"],
    "eml/fake-email-attachment.eml": ["fake-attachment.txt"],
    "eml/email-with-image.eml": ["unstructured_logo.png"],
    "eml/email-equals-attachment-filename.eml": ["odd=file=name.txt"],
    "eml/email-inline-content-disposition.eml": ["t.txt"],
    "eml/mime-attach-mp3.eml": ["sample-3s.mp3"],
    "eml/mime-simple.eml": [],
    "fake-email.msg": [],
}
DOCX = (
    "simple.docx",
    "handbook-1p.docx",
    "handbook-872p.docx",
    "category-level.docx",
    "contains-pictures.docx",
    "duplicate-paragraphs.docx",
    "hlink-meta.docx",
    "language-docs/eng_spa_mult.docx",
    "page-breaks.docx",
    "teams_chat.docx",
)
# Where words stand that are hyphenated at the end of a line, the other reader leaves them so.
PDF = (
    "pdf/fake-memo.pdf",
    "pdf/list-item-example.pdf",
    "pdf/emphasis-text.pdf",
    "pdf/DA-1p.pdf",
    "pdf/a1977-backus-p21.pdf",
    "pdf/embedded-link.pdf",
    "pdf/interface-config-guide-p93.pdf",
    "pdf/korean-text-with-tables.pdf",
    "pdf/negative-coords.pdf",
    "pdf/pdf-bad-color-space.pdf",
)
# The element that holds the article, found by looking at the page.
HTML = {
    "ideas-page.html": "//body",
    "fake-html.html": "//body",
    "example-with-scripts.html": "//*[@role='main']",
    "example-10k-1p.html": "//body",
    "example-steelJIS-datasheet.html": "//body",
    "example-steelJIS-datasheet-utf-16.html": "//body",
    "fake-html-cp1252.html": "//body",
    "fake-html-with-duplicate-elements.html": "//body",
    "fake-html-pre.htm": "//body",
    "language-docs/eng_spa_mult.html": "//body",
}


@pytest.mark.parametrize(("name", "pages", "sentences"), CONTENTS, ids=[c[0] for c in CONTENTS])
def test_what_other_tools_find_is_in_the_text(
    name: str, pages: int, sentences: tuple[str, ...]
) -> None:
    extraction = read(GOOD / name)

    text = text_of(extraction)
    assert text.strip()
    assert [each for each in sentences if each not in text] == []
    assert len(extraction.pages) == pages


@pytest.mark.parametrize(("name", "names"), ATTACHED.items())
def test_what_is_attached_to_a_mail_is_listed(name: str, names: list[str]) -> None:
    path = GOOD / name

    if not names:
        assert "attachments" not in read(path).metadata
        return
    contents = list_members(path, detect(path, path.name), ALLOWED)
    assert [member.path for member in contents.members] == names


@pytest.mark.parametrize("frame", ["Planned Giving", "1400 16th Street NW", "Search form"])
def test_the_frame_of_a_real_page_is_kept_out(frame: str) -> None:
    text = text_of(read(GOOD / "example-with-scripts.html"))

    assert frame not in text


def test_head_and_foot_of_a_page_are_kept_out() -> None:
    text = text_of(read(GOOD / "fake-html-with-footer-and-header.html"))

    assert text == "My First Heading\n\nMy first paragraph."


@pytest.mark.parametrize("name", DOCX)
def test_the_words_of_a_word_document_are_those_of_another_reader(name: str) -> None:
    document = docx.Document(str(GOOD / name))

    reference = "\n".join(_blocks(document))

    assert f1(text_of(read(GOOD / name)), reference) >= LEAST_F1


@pytest.mark.parametrize("name", PDF)
def test_the_words_of_a_pdf_are_those_of_another_reader(name: str) -> None:
    reference = "\n".join(page.extract_text() for page in pypdf.PdfReader(GOOD / name).pages)

    assert f1(text_of(read(GOOD / name)), reference) >= LEAST_F1


@pytest.mark.parametrize(("name", "article"), HTML.items())
def test_the_words_of_a_web_page_are_those_of_its_article(name: str, article: str) -> None:
    root = html.fromstring((GOOD / name).read_bytes())
    (element,) = root.xpath(article)
    for unseen in element.xpath(".//script | .//style | .//noscript | .//comment()"):
        unseen.drop_tree()

    reference = " ".join(element.itertext())

    assert f1(text_of(read(GOOD / name)), reference) >= LEAST_F1


def f1(found: str, reference: str) -> float:
    """Return the harmonic mean of precision and recall of words, each as often as it occurs."""
    ours, theirs = (Counter(re.findall(r"\w+", text.lower())) for text in (found, reference))
    return 2 * (ours & theirs).total() / (ours.total() + theirs.total())


def _blocks(document: docx.document.Document) -> Iterator[str]:
    for section in document.sections:
        for block in (*section.header.iter_inner_content(), *section.footer.iter_inner_content()):
            yield _text(block)
    for block in document.iter_inner_content():
        yield _text(block)


def _text(block: Paragraph | Table) -> str:
    if isinstance(block, Paragraph):
        return block.text
    return "\n".join(cell.text for row in block.rows for cell in row.cells)
