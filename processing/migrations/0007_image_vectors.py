import django.db.models.deletion
import pgvector.django.halfvec
from django.db import migrations, models

STAGES = ['verify', 'extract', 'embed', 'preview', 'enrich', 'look']


class Migration(migrations.Migration):

    dependencies = [
        ('documents', '0008_document_parent'),
        ('processing', '0006_enrich'),
    ]

    operations = [
        migrations.CreateModel(
            name='ImageVector',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('generation', models.PositiveIntegerField(default=1)),
                ('embedding', pgvector.django.halfvec.HalfVectorField()),
                ('model', models.CharField(max_length=120)),
                ('document', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='image_vectors', to='documents.document')),
                ('workspace', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='documents.workspace')),
            ],
            options={
                'indexes': [models.Index(fields=['workspace', 'document'], name='image_in_workspace')],
                'constraints': [models.UniqueConstraint(fields=('document', 'generation'), name='one_image_vector_each')],
            },
        ),
        # As in 0002: a row may only name a document of its own workspace.
        migrations.RunSQL(
            'alter table processing_imagevector add constraint processing_imagevector_same_workspace '
            'foreign key (workspace_id, document_id) references documents_document (workspace_id, id) '
            'deferrable initially deferred',
            'alter table processing_imagevector drop constraint processing_imagevector_same_workspace',
        ),
        migrations.AlterField(
            model_name='stagerun',
            name='stage',
            field=models.CharField(choices=[(name, name.title()) for name in STAGES], max_length=12),
        ),
        migrations.RemoveConstraint(model_name='stagerun', name='run_stage_known'),
        migrations.AddConstraint(
            model_name='stagerun',
            constraint=models.CheckConstraint(
                condition=models.Q(('stage__in', STAGES)), name='run_stage_known'
            ),
        ),
    ]
