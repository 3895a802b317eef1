"""Folders as people have them: thousands of documents, nested, small and large."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SMALLEST, LARGEST = 4 * 1024, 10 * 1024 * 1024
# Most documents of a person are small: a cube of chance makes one in ten larger than 2 MiB.
SKEW = 3
PIECE_BYTES = 1024**2
WORDS = (
    *("sluice", "harbour", "gate", "lantern", "ferry", "copper", "tide", "meadow", "archive"),
    *("ledger", "kingfisher", "quarry", "weather", "survey", "bridge", "orchard", "pilot"),
    *("granite", "cellar", "window", "river", "timber", "station", "glass"),
)


@dataclass(frozen=True, slots=True)
class Made:
    """One document: where it lies below its root, its size, and a word that only it has."""

    path: str
    size: int
    word: str


def make_folder(
    root: Path, n: int, *, folders: int, seed: int, largest: int = LARGEST
) -> list[Made]:
    """Write `n` documents below `root`; the same seed makes the same bytes."""
    chance = random.Random(seed)
    places = [root.joinpath(*_nested(at)) for at in range(folders)]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    return [
        _write(places[at % folders], at, _size(chance, at, n, largest), root, chance)
        for at in range(n)
    ]


def write_large(root: Path, size: int, *, seed: int) -> Made:
    """Write one document of about `size` bytes below `root`."""
    root.mkdir()
    return _write(root, 0, size, root, random.Random(seed))


def pdf_of(text: str, size: int, padding: bytes) -> bytes:
    """Return a PDF of one page that says `text`, padded to `size` bytes by an unused stream."""
    content = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    bodies = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R"
        b"/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>\nstream\n%s\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    plain = _assembled([*bodies, _stream(b"")])
    # The numbers of a longer stream take some bytes themselves.
    room = max(0, size - len(plain) - 16)
    return _assembled([*bodies, _stream(padding[:room])])


def _stream(data: bytes) -> bytes:
    return b"<</Length %d>>\nstream\n%s\nendstream" % (len(data), data)


def _assembled(bodies: list[bytes]) -> bytes:
    pdf = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(bodies, start=1):
        offsets.append(len(pdf))
        pdf += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(pdf)
    pdf += b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    pdf += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    pdf += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, start)
    return bytes(pdf)


def _nested(at: int) -> Iterator[str]:
    """Yield the names on the way to a folder: 120 of them, four levels deep at most."""
    yield f"area-{at % 6}"
    if at >= 6:
        yield f"year-{2000 + at // 6 % 10}"
    if at >= 66:
        yield f"box-{at % 9}"


def _size(chance: random.Random, at: int, n: int, largest: int) -> int:
    # Both ends are in every folder, whatever chance says.
    if at in {0, n - 1}:
        return largest if at else SMALLEST
    return int(SMALLEST * (largest / SMALLEST) ** (chance.random() ** SKEW))


def noise(chance: random.Random, size: int) -> bytes:
    """Return bytes at random, of any number; randbytes gives fewer than 256 MiB."""
    pieces = [chance.randbytes(min(PIECE_BYTES, size - at)) for at in range(0, size, PIECE_BYTES)]
    return b"".join(pieces)


def _write(place: Path, at: int, size: int, root: Path, chance: random.Random) -> Made:
    word = f"{chance.choice(WORDS)}{chance.randrange(16**8):08x}"
    # The word comes first: what runs over the edge of the page is not read.
    text = f"{word} is record {at} of {place.name}: {' '.join(chance.choices(WORDS, k=5))}."
    target = place / f"record-{at:05}.pdf"
    target.write_bytes(pdf_of(text, size, noise(chance, size)))
    return Made(str(target.relative_to(root.parent)), target.stat().st_size, word)
