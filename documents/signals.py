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
