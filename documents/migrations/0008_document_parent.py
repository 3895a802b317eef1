"""A document knows the archive or mail it was in; the database holds both to one workspace."""

import django.db.models.deletion
from django.db import migrations, models

# What was unpacked before names its archive in its client key: root, depth, archive, path.
_FILL = """
update documents_document child set parent_id = parent.id
from documents_document parent
where child.client_key ~ '^[0-9a-f]{32}:[0-9]+:[0-9a-f]{32}:'
  and parent.id = split_part(child.client_key, ':', 3)::uuid
  and parent.batch_id = child.batch_id and parent.id <> child.id
"""


class Migration(migrations.Migration):
    dependencies = (("documents", "0007_derived_images"),)

    operations = (
        migrations.AddField(
            model_name="document",
            name="parent",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="children",
                to="documents.document",
            ),
        ),
        migrations.RunSQL(_FILL, migrations.RunSQL.noop),
        # What the update leaves to be checked would be in the way of the next statement.
        migrations.RunSQL("set constraints all immediate", migrations.RunSQL.noop),
        migrations.RunSQL(
            "alter table documents_document add constraint "
            "documents_document_parent_same_workspace foreign key (workspace_id, parent_id) "
            "references documents_document (workspace_id, id) deferrable initially deferred",
            "alter table documents_document drop constraint "
            "documents_document_parent_same_workspace",
        ),
    )
