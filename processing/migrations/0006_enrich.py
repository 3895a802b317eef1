from django.db import migrations, models

STAGES = ['verify', 'extract', 'embed', 'preview', 'enrich']


class Migration(migrations.Migration):

    dependencies = [('processing', '0005_entities')]

    operations = [
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
