from django.apps import AppConfig


class DocumentsConfig(AppConfig):
    name = "documents"

    def ready(self) -> None:
        from django.db import transaction

        from documents import faults

        faults.arrange_commits(transaction.on_commit)
