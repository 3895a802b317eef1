"""What is written in a picture is read in order, and what is no writing is not."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from documents.errors import ParseTimeoutError, UnsupportedError
from processing.extraction.recognition import Engine, available_languages, engine_for, tesseract
from processing.extraction.recognition.lines import Line, Word, page_of
from tests.processing.scan_samples import PROSE, f1, page_image, photograph, raster


@pytest.fixture(scope="module", params=["tesseract", "rapidocr"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return engine_for(request.param, ["eng"])


def test_a_page_is_read_almost_without_a_mistake(engine: Engine) -> None:
    read = engine.recognise(raster(page_image(PROSE)))

    assert f1(PROSE, read.text) >= 0.97
    assert read.confidence > 0.85


def test_columns_are_read_one_after_the_other(engine: Engine) -> None:
    left, right = f"Alpha {PROSE} Bravo", f"Charlie {PROSE} Delta"

    read = engine.recognise(raster(page_image(left, right, size=(520, 400))))

    places = [read.text.find(name) for name in ("Alpha", "Bravo", "Charlie", "Delta")]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_page_that_lies_turned_is_read_as_if_it_stood(engine: Engine, degrees: int) -> None:
    turned = page_image(PROSE).rotate(degrees, expand=True)

    read = engine.recognise(raster(turned))

    assert f1(PROSE, read.text) >= 0.97
    assert read.text.startswith("The heron")
    assert read.text.endswith("since.")


def test_a_picture_without_writing_has_no_text(engine: Engine) -> None:
    read = engine.recognise(raster(photograph()))

    assert (read.text, read.confidence) == ("", 0.0)


def test_words_of_the_second_engine_have_the_spaces_between_them() -> None:
    text = "In the shade of it all he was not at ease, as we had seen on an old map."

    read = engine_for("rapidocr", []).recognise(raster(page_image(text)))

    assert f1(text, read.text) >= 0.97


def test_tesseract_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine_for("auto", ["eng"]).name == "tesseract"

    monkeypatch.setattr(shutil, "which", lambda name: None)

    assert engine_for("auto", ["eng"]).name == "rapidocr"
    assert available_languages() == ()


def test_an_engine_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)

    with pytest.raises(UnsupportedError, match="needs Tesseract, which is not installed"):
        engine_for("tesseract", ["eng"])


def test_a_language_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    run = subprocess.run

    def noting(command: list[str], **options: object) -> object:
        asked.append(command)
        return run(command, **options)  # type: ignore[call-overload]  # passed on as given

    engine = engine_for("tesseract", ["eng", "tlh"])
    monkeypatch.setattr(subprocess, "run", noting)

    engine.recognise(raster(page_image("Short.")))

    assert asked[0][asked[0].index("-l") + 1] == "eng"


def test_a_page_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_for("tesseract", ["eng"])
    slow = tmp_path / "tesseract"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(tesseract, "PAGE_SECONDS", 0.1)

    with pytest.raises(ParseTimeoutError):
        engine.recognise(raster(page_image("Short.")))


def test_words_the_engine_is_not_sure_of_are_dropped_from_good_lines() -> None:
    line = Line((Word("heron", 0.95), Word("~", 0.4), Word("xq", 0.1), Word("waits", 0.9)))

    assert page_of([line]).text == "heron waits"


def test_words_broken_at_the_end_of_a_line_are_put_together() -> None:
    texts = ("a certain detec-", "tion of a hormone-", "blocking hormone by blocking")
    lines = [Line(tuple(Word(word, 0.9) for word in text.split())) for text in texts]

    assert page_of(lines).text == "a certain detection of a hormone-blocking hormone by blocking"
