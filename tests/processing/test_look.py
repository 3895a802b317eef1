"""Images are looked at when there is a model, once for each, and it goes with them."""

from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from documents.errors import CorruptError, CrashedError, LeaseLostError, ProviderError
from documents.models import Batch, Document
from documents.services import deletion
from documents.services.reprocessing import reprocess_one
from documents.states import Status
from processing import generations, leases
from processing.embeddings.towers import TwoTowers
from processing.models import ImageVector, StageName, StageRun
from processing.pipeline import STAGES, following, get_stage
from processing.previews import raster
from processing.previews.frame import Frame
from processing.stage import Held
from tests.factories import make_workspace
from tests.processing.books import check_books
from tests.processing.image_models import SIDE, make_image_model
from tests.processing.lifecycle import (
    adorn,
    arrived,
    claim,
    extracted,
    finish,
    fresh,
    learn,
    read,
    verify,
)
from tests.processing.picture_samples import (
    BLUE,
    GREEN,
    RED,
    arrived_picture,
    go_through,
    look_at,
    looked,
    png,
    seen,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("warm", "embedding", "root")]
Commit = DjangoCaptureOnCommitCallbacks


@pytest.fixture
def model(settings: Settings, tmp_path: Path) -> str:
    """Return the name of the model that is set."""
    settings.IMAGE_MODEL_PATH = str(make_image_model(tmp_path / "colours"))
    return TwoTowers(tmp_path / "colours").model


def stages_of(document: Document) -> dict[str, str]:
    return dict(StageRun.objects.filter(document=document).values_list("stage", "state"))


def colour_of(document: Document) -> int:
    """Return which axis the document's vector points to."""
    return int(np.argmax(ImageVector.objects.get(document=document).embedding))


def test_an_image_is_looked_at_and_is_ready_then(batch: Batch, model: str) -> None:
    document = arrived_picture(batch, png(GREEN), "b/IMG_1.png")
    read(document, "IMG_1.png")
    adorn(document)
    learn(document)
    assert stages_of(document)["look"] == "ready"
    assert fresh(document).status == Status.PROCESSING

    look_at(document)

    assert fresh(document).status == Status.READY
    row = ImageVector.objects.get()
    assert (row.document_id, row.workspace_id) == (document.id, batch.workspace_id)
    assert (row.generation, row.model, colour_of(document)) == (1, model, 1)
    check_books()


def test_without_a_model_no_image_is_looked_at(batch: Batch) -> None:
    document = seen(batch, png(RED), "a.png")

    assert document.status == Status.READY
    assert "look" not in stages_of(document)
    assert not ImageVector.objects.exists()


def test_what_is_no_image_is_not_looked_at(batch: Batch, model: str) -> None:
    document = arrived(batch, b"A red gate.")
    verify(document, b"A red gate.")
    read(document, "A red gate.")

    assert set(stages_of(document)) == {stage.name for stage in STAGES} - {"look"}


def test_only_what_became_ready_is_told_so_that_no_bell_rings_in_vain(
    batch: Batch, model: str
) -> None:
    picture = arrived_picture(batch, png(RED), "b.png")
    opened = leases.finish(
        claim(picture, StageName.EXTRACT), extracted("b.png"), following(StageName.EXTRACT)
    )
    text = arrived(batch, b"Words.")
    verify(text, b"Words.")
    others = leases.finish(
        claim(text, StageName.EXTRACT), extracted("Words."), following(StageName.EXTRACT)
    )

    assert set(opened) - set(others) == {StageName.LOOK}
    assert others == [StageName.EMBED, StageName.PREVIEW, StageName.ENRICH]


def test_a_model_that_was_switched_off_meanwhile_leaves_nothing_open(
    batch: Batch, settings: Settings, model: str
) -> None:
    document = arrived_picture(batch, png(RED), "a.png")
    read(document, "a.png")
    settings.IMAGE_MODEL_PATH = ""
    adorn(document)
    learn(document)

    look_at(document)

    assert fresh(document).status == Status.READY
    assert not ImageVector.objects.exists()


def test_a_model_that_cannot_be_used_is_tried_again_and_costs_no_preview(
    batch: Batch, settings: Settings, model: str
) -> None:
    document = arrived_picture(batch, png(RED), "a.png")
    read(document, "a.png")
    adorn(document)
    learn(document)
    vision = Path(settings.IMAGE_MODEL_PATH) / "onnx" / "vision_model.onnx"
    vision.write_bytes(b"broken")

    lease = claim(document, StageName.LOOK)
    ((_, result),) = list(get_stage(StageName.LOOK).run([Held(lease)]))

    assert isinstance(result, ProviderError)
    leases.fail(lease, result)
    assert fresh(document).preview_version
    assert stages_of(document)["look"] == "ready"


def test_what_cannot_be_decoded_makes_the_document_partial(batch: Batch, model: str) -> None:
    document = arrived(batch, b"no image", "a.png")
    verify(document, b"no image")
    Document.objects.filter(id=document.id).update(content_type="image/png")
    read(document, "a.png")
    adorn(document)
    learn(document)

    lease = claim(document, StageName.LOOK)
    ((_, result),) = list(get_stage(StageName.LOOK).run([Held(lease)]))
    assert isinstance(result, CorruptError)
    leases.fail(lease, result)

    document = fresh(document)
    assert (document.status, document.error_stage) == (Status.PARTIAL, "look")


def test_a_child_that_leaves_another_number_of_pixels_is_not_believed(
    batch: Batch, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = arrived_picture(batch, png(RED), "a.png")
    read(document, "a.png")
    monkeypatch.setattr(Frame, "size_bytes", property(lambda self: 7))

    ((_, result),) = list(get_stage(StageName.LOOK).run([Held(claim(document, StageName.LOOK))]))

    assert isinstance(result, CrashedError)


def test_a_second_attempt_replaces_what_the_first_wrote(batch: Batch, model: str) -> None:
    document = seen(batch, png(RED), "a.png")
    StageRun.objects.filter(stage=StageName.LOOK).update(state="ready")

    look_at(document)

    assert ImageVector.objects.count() == 1


def test_read_anew_an_image_is_not_looked_at_twice(
    batch: Batch, user: Any, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = seen(batch, png(BLUE), "a.png")
    monkeypatch.setattr(TwoTowers, "embed_images", None)

    reprocess_one(document, user)
    go_through(fresh(document))
    generations.prune()

    assert list(ImageVector.objects.values_list("generation", "model")) == [(2, model)]
    assert colour_of(document) == 2
    check_books()


def test_read_anew_after_a_change_the_new_model_looks(
    batch: Batch, user: Any, settings: Settings, model: str, tmp_path: Path
) -> None:
    document = seen(batch, png(BLUE), "a.png")
    settings.IMAGE_MODEL_PATH = str(make_image_model(tmp_path / "other", image_std=[0.4] * 3))

    reprocess_one(document, user)
    go_through(fresh(document))
    generations.prune()

    (row,) = ImageVector.objects.all()
    assert row.model.startswith("other@")


def test_a_late_look_at_an_older_generation_is_dropped(batch: Batch, user: Any, model: str) -> None:
    document = arrived_picture(batch, png(RED), "a.png")
    read(document, "a.png")
    adorn(document)
    learn(document)
    lease = claim(document, StageName.LOOK)
    late = looked(Held(lease))
    reprocess_one(document, user)

    with pytest.raises(LeaseLostError):
        finish(lease, late)

    assert not ImageVector.objects.exists()


def test_deleting_takes_what_it_looks_like_along(
    batch: Batch, user: Any, model: str, django_capture_on_commit_callbacks: Commit
) -> None:
    document = seen(batch, png(RED), "a.png")
    other = seen(batch, png(BLUE), "b.png")

    with django_capture_on_commit_callbacks(execute=True):
        deletion.delete(document, user)

    assert [row.document_id for row in ImageVector.objects.all()] == [other.id]


def test_the_heir_looks_as_its_original_did(
    batch: Batch, user: Any, model: str, django_capture_on_commit_callbacks: Commit
) -> None:
    original = seen(batch, png(RED), "a.png")
    heir = arrived_picture(batch, png(RED), "b.png")
    assert fresh(heir).status == Status.DUPLICATE

    with django_capture_on_commit_callbacks(execute=True):
        deletion.delete(original, user)

    row = ImageVector.objects.get()
    assert (row.document_id, row.generation) == (heir.id, fresh(heir).live_generation)


def test_a_vector_cannot_name_a_document_of_another_workspace(batch: Batch, model: str) -> None:
    seen(batch, png(RED), "a.png")

    with connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")

    with pytest.raises(IntegrityError, match="same_workspace"):
        ImageVector.objects.update(workspace=make_workspace())


# --- what was there before the model --------------------------------------------------


def look() -> str:
    output = StringIO()
    call_command("look", stdout=output)
    return output.getvalue()


def test_the_command_has_images_looked_at_that_were_there_before_the_model(
    batch: Batch, settings: Settings, tmp_path: Path
) -> None:
    document = seen(batch, png(RED), "a.png")
    arrived_picture(batch, png(BLUE), "waiting.png")
    settings.IMAGE_MODEL_PATH = str(make_image_model(tmp_path / "colours"))

    said = look()

    assert said.startswith("1 images will be looked at by colours@")
    assert fresh(document).status == Status.PROCESSING
    look_at(document)
    assert fresh(document).status == Status.READY
    assert look().startswith("0 images")
    check_books()


def test_the_command_has_another_model_look_at_what_one_has_seen(
    batch: Batch, settings: Settings, model: str, tmp_path: Path
) -> None:
    document = seen(batch, png(RED), "a.png")
    assert look().startswith("0 images")
    settings.IMAGE_MODEL_PATH = str(make_image_model(tmp_path / "other", image_std=[0.4] * 3))

    assert look().startswith("1 images")
    look_at(document)

    assert ImageVector.objects.get().model.startswith("other@")
    assert fresh(document).status == Status.READY


def test_the_command_says_what_it_lacks(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="IMAGE_MODEL_PATH is empty"):
        look()
    settings.IMAGE_MODEL_PATH = str(tmp_path / "nowhere")
    with pytest.raises(CommandError, match="nowhere"):
        look()


# --- what the model sees ----------------------------------------------------------------


def striped(width: int, height: int) -> Any:
    """Return an image whose left third is red, whose middle is green, whose right is blue."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for place, colour in enumerate((RED, GREEN, BLUE)):
        pixels[:, place * width // 3 : (place + 1) * width // 3] = colour
    return raster.from_pixels(pixels)


def test_the_middle_is_cut_out_of_a_long_image() -> None:
    found = raster.framed(striped(900, 100), Frame(SIDE, SIDE, SIDE))

    assert found.shape == (SIDE, SIDE, 3)
    np.testing.assert_array_equal(found.reshape(-1, 3), [GREEN] * SIDE * SIDE)


def test_all_of_an_image_is_pressed_into_a_frame_that_wants_it_so() -> None:
    found = raster.framed(striped(900, 100), Frame(9, 6))

    assert found.shape == (6, 9, 3)
    assert [tuple(found[3, x]) for x in (0, 4, 8)] == [RED, GREEN, BLUE]


def test_a_tiny_image_is_enlarged() -> None:
    found = raster.framed(raster.from_pixels(np.full((1, 1, 3), 9, np.uint8)), Frame(4, 4, 4))

    np.testing.assert_array_equal(found, np.full((4, 4, 3), 9))
