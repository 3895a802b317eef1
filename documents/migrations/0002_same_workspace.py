"""A document's batch and original are of its own workspace; the database holds it to that."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = (("documents", "0001_initial"),)

    operations = (
        migrations.RunSQL(
            "alter table documents_document add constraint documents_document_batch_same_workspace "
            "foreign key (workspace_id, batch_id) references documents_batch (workspace_id, id) "
            "deferrable initially deferred",
            "alter table documents_document drop constraint "
            "documents_document_batch_same_workspace",
        ),
        migrations.RunSQL(
            "alter table documents_document add constraint "
            "documents_document_original_same_workspace "
            "foreign key (workspace_id, duplicate_of_id) "
            "references documents_document (workspace_id, id) deferrable initially deferred",
            "alter table documents_document drop constraint "
            "documents_document_original_same_workspace",
        ),
    )
