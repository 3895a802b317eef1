"""Static files under names that change with their content."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # untyped base
    """Rewrite ES-module imports too: a stale module beside a new one breaks the page.

    Imports are found only where the statement ends in a semicolon.
    """

    support_js_module_import_aggregation = True
    # A pass settles the names of one more level of imports; the upload page has nine levels.
    max_post_process_passes = 20
