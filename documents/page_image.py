"""What is known of the picture of one page of a document."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class PageImage(models.Model):
    """The picture of a page, drawn when somebody looks: there, on its way, or refused.

    It shows one reading of the document (`generation`), drawn in one way (`version`); another
    reading has rows of its own. An object in storage is owned by the row that names its key.
    """

    id = models.BigAutoField(primary_key=True)
    document = models.ForeignKey(
        "documents.Document", models.CASCADE, related_name="page_images", db_index=False
    )
    generation = models.PositiveIntegerField()
    version = models.PositiveSmallIntegerField()
    number = models.PositiveIntegerField()

    # Empty until it is drawn. No two drawings share a key: what one leaves, another never meets.
    key = models.CharField(max_length=200, blank=True)
    size_bytes = models.PositiveIntegerField(default=0)
    used_at = models.DateTimeField(db_default=Now())

    # Whoever claimed it last, and until when nobody else draws it: because somebody does, or
    # because it was refused, for this reason.
    token = models.UUIDField(null=True)
    taken_until = models.DateTimeField(db_default=Now())
    refusal = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("document", "generation", "version", "number"), name="one_page_image"
            ),
        )
        indexes = (
            models.Index(fields=("key",), condition=~Q(key=""), name="page_image_key"),
            models.Index(fields=("used_at",), name="page_image_used"),
        )

    def __str__(self) -> str:
        return f"page {self.number} of {self.document_id}"
