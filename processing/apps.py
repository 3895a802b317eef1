from django.apps import AppConfig


class ProcessingConfig(AppConfig):
    name = "processing"

    def ready(self) -> None:
        from processing import receivers, worker

        receivers.connect()
        worker.install()
