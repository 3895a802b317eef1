"""Measure Sluice on public test sets; `manage.py bench` prints what comes out."""
