"""`manage.py doctor`: look at everything Sluice needs, and say what to do."""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from config.doctor import Finding, Level, examine


class Command(BaseCommand):
    help = "Check everything Sluice needs; exit 1 if anything has failed."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = []
        for finding in examine():
            findings.append(finding)
            if not options["json"]:
                self.stdout.write(_line(finding))
                self.stdout.flush()
        is_well = all(finding.level != Level.FAIL for finding in findings)
        if options["json"]:
            checks = [asdict(finding) for finding in findings]
            self.stdout.write(json.dumps({"ok": is_well, "checks": checks}, indent=2))
        if not is_well:
            sys.exit(1)


def _line(finding: Finding) -> str:
    line = f"{finding.level:<5} {finding.name:<17} {finding.detail}"
    return f"{line}\n{'':<24}{finding.advice}" if finding.advice else line
