"""What the apps above may listen to. Sent inside the transaction of the change."""

from django.dispatch import Signal

# documents: list[Document], all moved to `uploaded` just now, all of one batch.
documents_uploaded = Signal()
# document_ids: list[UUID], all moved to `cancelled` just now.
documents_cancelled = Signal()
# documents: list[Document], failed or partial; receivers decide where they resume.
documents_retried = Signal()
# documents: list[Document], cancelled before; receivers decide where they resume.
documents_resumed = Signal()
# documents: list[Document], stored, with a new generation that nothing has been done for.
documents_reprocessed = Signal()
# document_ids: list[UUID], whose rows go when the receivers are done.
documents_deleted = Signal()
# original, heir: Document, of the same bytes; all that was made of them is the heir's from now on.
document_succeeded = Signal()
