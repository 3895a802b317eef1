import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('documents', '0008_document_parent'),
        ('processing', '0007_image_vectors'),
    ]

    operations = [
        migrations.AddField(
            model_name='stagerun',
            name='rests_until',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name='ScanSlice',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('generation', models.PositiveIntegerField(default=1)),
                ('seconds', models.FloatField()),
                ('readings', models.JSONField()),
                ('unread', models.JSONField()),
                ('document', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='scan_slices', to='documents.document')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='documents.workspace')),
            ],
        ),
        # As in 0002: a row may only name a document of its own workspace.
        migrations.RunSQL(
            'alter table processing_scanslice add constraint processing_scanslice_same_workspace '
            'foreign key (workspace_id, document_id) references documents_document (workspace_id, id) '
            'deferrable initially deferred',
            'alter table processing_scanslice drop constraint processing_scanslice_same_workspace',
        ),
    ]
