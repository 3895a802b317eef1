"""Fill a workspace with thousands of documents; run inside an installation's environment."""

import sys
from uuid import UUID

from documents.models import Batch, Workspace
from documents.services import arrivals, uploads
from documents.services.uploads import MAX_WINDOW, Declaration
from documents.storage import get_storage

TEXT = "The whale's document number {at} of batch {batch} says nothing of interest."


def fill(batch: Batch, n: int) -> None:
    """Register, store and complete `n` small documents that are all different."""
    for start in range(0, n, MAX_WINDOW):
        contents = {
            f"whale/{at}.txt": TEXT.format(at=at, batch=batch.id).encode()
            for at in range(start, min(n, start + MAX_WINDOW))
        }
        window = uploads.register(
            batch, [Declaration(path, path, len(content)) for path, content in contents.items()]
        )
        for upload in window.uploads:
            document = upload.document
            get_storage().put(document.incoming_key, contents[document.path], "text/plain")
        arrivals.complete(batch, [upload.document.id for upload in window.uploads])


def main(batch_id: str, n: str) -> None:
    fill(Batch.objects.select_related("workspace").get(id=UUID(batch_id)), int(n))


def open_workspaces(n: int) -> list[str]:
    """Return the ids of `n` new batches, each in a workspace of its own."""
    workspaces = Workspace.objects.bulk_create(Workspace(name=f"Small {at}") for at in range(n))
    batches = Batch.objects.bulk_create(Batch(workspace=workspace) for workspace in workspaces)
    return [str(batch.id) for batch in batches]


if __name__ == "__main__":
    main(*sys.argv[1:])
