"""Documents that kill whoever reads them, among many that do not: R9."""

import io
import struct
import zipfile
import zlib

import pytest

from tests.chaos import library
from tests.chaos.scene import Scene
from tests.chaos.trials import Trial, Trials

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3600)]

# What the parser of a document does, and what the person is told at the end.
IN_THE_PARSER = {
    "segfault": {"crashed"},
    "eat": {"too_complex"},
    "loop": {"timeout"},
    "kill9": {"crashed"},
}
MOST_CRASHES = 3


@pytest.mark.promise(
    "R9",
    "Poison dies alone, with a reason, after three crashes at most; its 200 neighbours finish",
    fault="a segfault, endless memory, an endless loop, a zip bomb, a huge image, billion laughs",
    trials=(1, 1),
)
def test_poison_dies_alone(trials: Trials, scene: Scene, request: pytest.FixtureRequest) -> None:
    n = 200 if request.config.getoption("--chaos") == "full" else 40
    for trial in trials:
        good = library.folder(trial.random, n)
        poison = poisons(trial)
        for path in poison:
            action = path.split("-")[0]
            if action in IN_THE_PARSER:
                scene.installation.poison("child.in_task", path, action)
        paths = [*good, *poison]
        trial.random.shuffle(paths)
        everything = good | poison
        drop = scene.drop_documents("Poison", {path: everything[path] for path in paths})
        oracle = scene.watch(drop)
        oracle.wait_finished(600)

        fates = dict(
            scene.installation.rows(
                "select path, status || ' ' || error_code from documents_document "
                "where batch_id = %s",
                drop.batch,
            )
        )
        assert {fates[path] for path in good} == {"ready "}
        for path in poison:
            status, code = fates[path].split(" ")
            expected = IN_THE_PARSER.get(path.split("-")[0])
            assert status in {"failed", "rejected"}, fates[path]
            assert code, f"{path} ended without a reason"
            assert expected is None or code in expected, f"{path}: {fates[path]}"
        crashes = scene.installation.rows(
            "select max(r.crashes) from processing_stagerun r "
            "join documents_document d on d.id = r.document_id where d.batch_id = %s",
            drop.batch,
        )
        assert crashes[0][0] <= MOST_CRASHES
        problems = [line for line in oracle.problems() if "was acknowledged" not in line]
        assert not problems, "\n".join(problems)


def poisons(trial: Trial) -> dict[str, bytes]:
    """Return the documents that do harm, by path."""
    word = library.word_of(trial.random)
    harmless = {f"{action}-{word}.txt": f"{action} {word}".encode() for action in IN_THE_PARSER}
    return harmless | {
        f"bomb-{word}.docx": zip_bomb(word),
        f"laughs-{word}.xml": billion_laughs(word),
        f"huge-{word}.png": huge_image(word),
    }


def zip_bomb(word: str) -> bytes:
    """Return a Word document of a few KB whose one part unpacks to 2 GB."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            '<?xml version="1.0"?><Types '
            'xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Override PartName="/word/document.xml" ContentType="application/vnd.'
            'openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>',
        )
        archive.writestr("word/name.txt", word)
        with archive.open("word/document.xml", "w", force_zip64=True) as part:
            block = b" " * (16 * 1024 * 1024)
            for _ in range(128):
                part.write(block)
    return packed.getvalue()


def billion_laughs(word: str) -> bytes:
    """Return XML whose ten lines of entities stand for gigabytes."""
    entities = "".join(f'<!ENTITY l{at} "{f"&l{at - 1};" * 10}">' for at in range(1, 10))
    return (
        f'<?xml version="1.0"?><!DOCTYPE laughs [<!ENTITY l0 "{word}">{entities}]>'
        "<laughs>&l9;</laughs>"
    ).encode()


def huge_image(word: str) -> bytes:
    """Return a PNG whose header promises 60,000 × 60,000 pixels."""

    def part(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + part(b"IHDR", header)
        + part(b"tEXt", b"Comment\0" + word.encode())
        + part(b"IDAT", zlib.compress(bytes(180_001)))
        + part(b"IEND", b"")
    )
