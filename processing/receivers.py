"""Answer the signals of documents, inside their transactions."""

from typing import Any
from uuid import UUID

from documents import signals
from documents.models import Document
from processing import jobs, removal


def create_jobs(documents: list[Document], **_: Any) -> None:
    """Set up the work on documents whose bytes arrived."""
    jobs.create(documents)


def cancel_runs(document_ids: list[UUID], **_: Any) -> None:
    """End the work on cancelled documents."""
    jobs.cancel(document_ids)


def retry_runs(documents: list[Document], **_: Any) -> None:
    """Revive the work on documents that failed."""
    jobs.retry(documents)


def resume_runs(documents: list[Document], **_: Any) -> None:
    """Revive the work on documents that were cancelled."""
    jobs.resume(documents)


def begin_generation(documents: list[Document], **_: Any) -> None:
    """Set up the work on documents that are read anew."""
    jobs.renew(documents)


def hand_on_work(original: Document, heir: Document, **_: Any) -> None:
    """Make the work on an original that of its heir."""
    removal.hand_on(original, heir)


def forget_documents(document_ids: list[UUID], **_: Any) -> None:
    """Remove what was made of deleted documents."""
    removal.forget(document_ids)


def connect() -> None:
    """Listen from now on; called once the models are loaded."""
    signals.documents_uploaded.connect(create_jobs)
    signals.documents_cancelled.connect(cancel_runs)
    signals.documents_retried.connect(retry_runs)
    signals.documents_resumed.connect(resume_runs)
    signals.documents_reprocessed.connect(begin_generation)
    signals.document_succeeded.connect(hand_on_work)
    signals.documents_deleted.connect(forget_documents)
