"""`manage.py look`: images that were there before the model, or before another."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from documents.errors import SluiceError
from processing.embeddings.registry import get_image_embedder
from processing.looking import look_at


class Command(BaseCommand):
    help = "Look at every image that the model at IMAGE_MODEL_PATH has not seen."
    requires_system_checks: list[str] = []

    def handle(self, **options: Any) -> None:
        try:
            embedder = get_image_embedder()
            if embedder is None:
                raise CommandError("No model is set: IMAGE_MODEL_PATH is empty.")
            n = sum(look_at(embedder.model))
        except SluiceError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"{n} images will be looked at by {embedder.model}.")
