"""What templates may say: icons, looks, sizes, marks. Display only."""

from typing import Any

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from dashboard import highlight, presentation
from dashboard.presentation import Look
from documents import derived
from documents.models import Document
from documents.states import Status

register = template.Library()
# Width and height in lists, as `.thumb` has them: nothing moves when the picture comes.
THUMB = (40, 48)
_UNITS = ("B", "KB", "MB", "GB", "TB")


@register.simple_tag
def icon(name: str, extra_class: str = "") -> SafeString:
    """Draw the icon `name` of the sprite; decoration, hidden from screen readers."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        extra_class,
        static("img/icons.svg"),
        name,
    )


@register.simple_tag
def kind_icon(path: str) -> SafeString:
    """Draw what kind of document is at `path`."""
    return icon_of(presentation.kind_of(path))


def icon_of(kind: str) -> SafeString:
    """Draw a kind of document."""
    return icon(f"kind-{kind}")


@register.simple_tag
def picture(document: Document) -> SafeString:
    """Draw the thumbnail of a document, or its kind where it has none."""
    holder = derived.holder_of(document)
    if holder is None:
        kind_of = presentation.kind_of(document.path)
        return format_html('<span class="kind" data-kind="{}">{}</span>', kind_of, icon_of(kind_of))
    return thumbnail(derived.thumbnail_path(document.id), holder.placeholder)


@register.simple_tag
def thumbnail(url: str, placeholder: str) -> SafeString:
    """Draw a thumbnail beside the name of its document, which says what it shows."""
    return format_html(
        '<span class="thumb" data-placeholder="{}"><img src="{}" width="{}" height="{}" alt=""'
        ' loading="lazy" decoding="async"></span>',
        placeholder,
        url,
        *THUMB,
    )


@register.filter
def look(document: Document) -> Look:
    """Return how a document's status looks: searchable as soon as it is."""
    shown = Status.READY if document.is_finishing else document.status
    return presentation.STATUS_LOOKS[shown]


@register.filter
def entity_label(kind: str) -> str:
    """Return what entities of this kind are called."""
    return presentation.ENTITY_LABELS[kind]


@register.filter
def kind(path: str) -> str:
    """Return which drawing stands for a document at this path."""
    return presentation.kind_of(path)


@register.filter
def size(n_bytes: int) -> str:
    """Return a number of bytes as people read it: 1.2 MB."""
    value, unit = float(n_bytes), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.{0 if unit == 0 or value >= 100 else 1}f} {_UNITS[unit]}"


@register.filter
def eta(progress: dict[str, Any]) -> str:
    """Return what is left, as a range; or that the batch is finished."""
    if is_settled(progress):
        return "Finished"
    return presentation.range_sentence(progress["eta_seconds"])


@register.filter
def is_settled(progress: dict[str, Any]) -> bool:
    """Return whether nothing more happens in this batch by itself."""
    counts = progress["counts"]
    working: int = counts["awaiting"] + counts["uploaded"] + counts["processing"]
    return bool(progress["total"]) and working == 0


@register.filter
def snippet(text: str) -> SafeString:
    """Show a snippet with the marks that search put there, and no other tag."""
    return highlight.mark_snippet(text)


@register.filter
def marked(text: str, query: str) -> SafeString:
    """Escape a text and mark the words of the query in it."""
    return highlight.mark_terms(text, query)


@register.simple_tag(takes_context=True)
def current(context: dict[str, Any], *names: str) -> SafeString:
    """Say `aria-current` when the page shown is one of the named."""
    match = getattr(context.get("request"), "resolver_match", None)
    return SafeString('aria-current="page"' if match and match.url_name in names else "")


@register.simple_tag(takes_context=True)
def here(context: dict[str, Any], **changes: Any) -> str:
    """Return this page's query string with some parameters changed, and the cursor dropped."""
    query = context["request"].GET.copy()
    query.pop("cursor", None)
    for name, value in changes.items():
        query.pop(name, None)
        if value not in (None, ""):
            query[name] = value
    return f"?{query.urlencode()}"
