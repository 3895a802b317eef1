"""Rows may only name documents of their own workspace; the database holds them to it."""

from django.db import migrations

TABLES = {
    "processing_ingestjob": "document_id",
    "processing_stagerun": "document_id",
    "processing_pagetext": "document_id",
    "processing_chunk": "document_id",
}


def constraint(table: str, column: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"alter table {table} add constraint {table}_same_workspace "
        f"foreign key (workspace_id, {column}) references documents_document (workspace_id, id) "
        "deferrable initially deferred",
        f"alter table {table} drop constraint {table}_same_workspace",
    )


class Migration(migrations.Migration):
    dependencies = (("processing", "0001_initial"), ("documents", "0002_same_workspace"))

    operations = tuple(constraint(table, column) for table, column in TABLES.items())
