"""House rules of the browser's side, held over every file of it."""

import json
import re
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from pytest_django import Settings

BASE = Path(django_settings.BASE_DIR)
TEMPLATES = sorted((BASE / "templates").rglob("*.html"))
MODULES = sorted((BASE / "static" / "js").rglob("*.js"))
STYLES = sorted((BASE / "static" / "css").rglob("*.css"))
PAIRS = [
    *((text, back) for text in ("text", "muted", "accent") for back in ("bg", "surface", "sunken")),
    *((text, "hover") for text in ("text", "muted")),
    *((f"{tone}", f"{tone}-soft") for tone in ("ok", "warn", "bad")),
    *((tone, "surface") for tone in ("ok", "warn", "bad")),
    *(("text", f"{tone}-soft") for tone in ("accent", "ok", "warn", "bad")),
    *(("accent", f"{tone}-soft") for tone in ("accent",)),
    # A chosen row stands on the soft accent, whatever it says.
    *((text, "accent-soft") for text in ("muted", "ok", "warn", "bad", "phase-processing")),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("on-mark", "mark"),
    ("text", "selected"),
    ("phase-processing", "surface"),
]
GRAPHICS = [
    ("control", "surface"),
    ("control", "sunken"),
    *((f"phase-{name}", "surface") for name in ("uploading", "processing", "searchable")),
]


def relative(path: Path) -> str:
    return str(path.relative_to(BASE))


@pytest.mark.parametrize("template", TEMPLATES, ids=relative)
def test_a_template_has_no_inline_script_style_or_handler(template: Path) -> None:
    html = template.read_text()

    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", html)


@pytest.mark.parametrize("template", TEMPLATES, ids=relative)
def test_a_template_loads_nothing_from_elsewhere(template: Path) -> None:
    assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", template.read_text())


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_a_module_is_small_and_its_imports_end_in_a_semicolon(module: Path) -> None:
    source = module.read_text()

    assert len(source.splitlines()) <= 220
    for statement in re.findall(
        r"^(?:import|export)\b[^;{]*(?:\{[^}]*\})?[^;\n]*from .*$", source, re.MULTILINE
    ):
        assert statement.endswith(";"), statement
        assert re.search(r'from "\.{1,2}/', statement), statement


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_a_module_writes_text_and_no_html(module: Path) -> None:
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", module.read_text()
    )


@pytest.mark.parametrize("style", STYLES, ids=relative)
def test_colours_come_from_tokens_only(style: Path) -> None:
    if style.name == "tokens.css":
        return

    assert not re.search(r"#[0-9a-f]{3,8}\b|\brgba?\(|\bhsla?\(", style.read_text())


def test_every_token_that_is_used_exists() -> None:
    defined, used = set(), set()
    for style in STYLES:
        source = style.read_text()
        defined |= set(re.findall(r"(--[\w-]+):", source))
        used |= set(re.findall(r"var\((--[\w-]+)\)", source))

    assert used <= defined


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "back"), PAIRS)
def test_text_has_the_contrast_of_wcag_aa(text: str, back: str, scheme: str) -> None:
    assert contrast(colour(text, scheme), colour(back, scheme)) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("mark", "back"), GRAPHICS)
def test_controls_and_bars_have_the_contrast_of_wcag_aa(mark: str, back: str, scheme: str) -> None:
    assert contrast(colour(mark, scheme), colour(back, scheme)) >= 3


def test_collected_modules_import_each_other_by_hashed_names(
    tmp_path: Path, settings: Settings
) -> None:
    hashed = {"BACKEND": "config.staticfiles.HashedStaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": hashed}
    settings.STATIC_ROOT = tmp_path
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]

    call_command("collectstatic", verbosity=0, interactive=False)

    manifest = json.loads((tmp_path / "staticfiles.json").read_text())["paths"]
    pages = [manifest[f"js/{name}.js"] for name in ("shell", "upload/page", "batch-page")]
    imports = [
        (page, target)
        for page in [*pages, manifest["js/upload/engine.js"], manifest["js/upload/hash-worker.js"]]
        for target in re.findall(r'from "([^"]+)"', (tmp_path / page).read_text())
    ]
    assert len(imports) > 15
    for page, target in imports:
        assert re.search(r"\.[0-9a-f]{12}\.js$", target), (page, target)
        assert ((tmp_path / page).parent / target).exists(), (page, target)


def colour(name: str, scheme: str) -> tuple[int, int, int]:
    tokens = (BASE / "static" / "css" / "tokens.css").read_text()
    found = re.search(rf"--{name}: light-dark\(#(\w{{6}}), #(\w{{6}})\)", tokens)
    assert found, name
    number = int(found[1 if scheme == "light" else 2], 16)
    return number >> 16, number >> 8 & 255, number & 255


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """Return the contrast ratio: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(rgb: tuple[int, int, int]) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in rgb)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
