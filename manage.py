#!/usr/bin/env python
"""Sluice's command line: `manage.py help` lists what it can do."""

import os
import sys

from config.commandline import main

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    main(sys.argv)
