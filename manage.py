#!/usr/bin/env python3
"""Django's command line for Taximeter.

Works as it is while `make run` serves: it takes on the running instance's settings, and the project's
virtual environment where another Python called it.
"""

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent

#: Commands that write files of the project, or for a web server that runs as another user.
WRITES_FOR_OTHERS = {"collectstatic", "compilemessages", "makemessages", "makemigrations"}


def main() -> None:
    python = ROOT / ".venv" / "bin" / "python"
    if importlib.util.find_spec("django") is None and python.exists() and Path(sys.prefix) != python.parent.parent:
        os.execv(python, [str(python), *sys.argv])  # noqa: S606 - the same command, by the right Python
    if not set(sys.argv[1:2]) & WRITES_FOR_OTHERS:
        os.umask(0o077)  # exports, archives and mail are for this user alone
    sys.path[:0] = [str(ROOT), str(ROOT / "sdk" / "src")]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from launcher.instance import adopt_environment  # noqa: PLC0415 - needs the path above

    adopt_environment()
    from django.core.exceptions import ImproperlyConfigured  # noqa: PLC0415
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"{sys.argv[0]}: {error}")


if __name__ == "__main__":
    main()
