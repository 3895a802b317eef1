"""Pictures of single pages: drawn when somebody looks, and removed when nobody does."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("documents", "0008_document_parent"),)

    operations = (
        migrations.CreateModel(
            name="PageImage",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("generation", models.PositiveIntegerField()),
                ("version", models.PositiveSmallIntegerField()),
                ("number", models.PositiveIntegerField()),
                ("key", models.CharField(blank=True, max_length=200)),
                ("size_bytes", models.PositiveIntegerField(default=0)),
                (
                    "used_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("token", models.UUIDField(null=True)),
                (
                    "taken_until",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("refusal", models.TextField(blank=True)),
                (
                    "document",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="page_images",
                        to="documents.document",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("key", ""), _negated=True),
                        fields=["key"],
                        name="page_image_key",
                    ),
                    models.Index(fields=["used_at"], name="page_image_used"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("document", "generation", "version", "number"),
                        name="one_page_image",
                    )
                ],
            },
        ),
    )
