import re
from pathlib import Path

import pytest
from django.conf import settings

from dashboard import presentation
from dashboard.templatetags.sluice import size
from documents.states import Status
from processing.models import RunState, StageName

JS = Path(settings.BASE_DIR) / "static" / "js"


def test_every_state_has_a_look() -> None:
    assert set(presentation.STATUS_LOOKS) == set(Status.values)
    assert set(presentation.RUN_LOOKS) == set(RunState.values)
    assert set(presentation.STAGE_LABELS) >= set(StageName.values)


def test_the_browser_shows_states_in_the_same_words() -> None:
    found = re.findall(
        r'(\w+): \{ label: "([^"]+)", tone: "(\w+)" \}', (JS / "statuses.js").read_text()
    )

    assert {name: (label, tone) for name, label, tone in found} == {
        name: (look.label, look.tone) for name, look in presentation.STATUS_LOOKS.items()
    }


def test_the_browser_draws_the_same_kinds() -> None:
    found = re.findall(r'(\w+): "(\w+)"', (JS / "kinds.js").read_text())

    assert dict(found) == {
        suffix: kind for kind, suffixes in presentation.KINDS.items() for suffix in suffixes
    }


@pytest.mark.parametrize("name", sorted({*presentation.KINDS, "other"}))
def test_every_kind_has_a_drawing(name: str) -> None:
    sprite = (Path(settings.BASE_DIR) / "static" / "img" / "icons.svg").read_text()

    assert f'id="kind-{name}"' in sprite


@pytest.mark.parametrize(
    ("seconds", "sentence"),
    [
        (None, "No estimate yet"),
        ([130, 290], "2–5 minutes left"),
        ([20, 90], "20 seconds to 2 minutes left"),
        ([60, 70], "About 1 minute left"),
        ([3600, 10000], "1–3 hours left"),
    ],
)
def test_an_estimate_is_a_range(seconds: list[int] | None, sentence: str) -> None:
    assert presentation.range_sentence(seconds) == sentence


@pytest.mark.parametrize(
    ("n_bytes", "shown"), [(0, "0 B"), (1536, "1.5 KB"), (500 * 1024 * 1024, "500 MB")]
)
def test_sizes_are_shown_in_the_largest_unit(n_bytes: int, shown: str) -> None:
    assert size(n_bytes) == shown
