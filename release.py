"""Build the wheels and sdists of a release: `make release`.

Both packages are built from what is committed, with the commit's time in place of the clock, so that a second build has
the same bytes. `docs/releasing.md` has the steps around it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
DIST = ROOT / "dist"
_VERSION = re.compile(r'^__version__ = "([0-9]+\.[0-9]+\.[0-9]+)"$', re.MULTILINE)


class ReleaseRefused(Exception):
    """The tree is not ready to be released; the text says what to do."""


def version() -> str:
    """Return the version of the server, the API and the SDK, from the one place where it is written."""
    found = _VERSION.search((ROOT / "sdk" / "src" / "taximeter" / "version.py").read_text())
    if found is None:
        raise ReleaseRefused("sdk/src/taximeter/version.py has no version of the form 1.2.3.")
    return found[1]


def require_changelog(text: str, wanted: str) -> None:
    """Raise `ReleaseRefused` unless `text`, a changelog, has a dated section for the version `wanted`."""
    if not re.search(rf"^## {re.escape(wanted)} - \d{{4}}-\d{{2}}-\d{{2}}$", text, re.MULTILINE):
        raise ReleaseRefused(
            f"CHANGELOG.md has no section '## {wanted} - YYYY-MM-DD'. Move what is under 'Unreleased' into one."
        )


def has_unreleased(text: str) -> bool:
    """Return true where `text`, a changelog, has entries under 'Unreleased'."""
    section = re.search(r"^## Unreleased$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return section is not None and "\n- " in section[1]


def build(directory: Path, epoch: int) -> list[Path]:
    """Build both packages into `directory` as of `epoch` (seconds), and return the four files by name."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(epoch)}
    for project in (ROOT, ROOT / "sdk"):
        command = [sys.executable, "-m", "hatchling", "build", "-d", str(directory)]
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ReleaseRefused(f"{project} cannot be built:\n{done.stdout}{done.stderr}")
    return sorted(directory.glob("*.whl")) + sorted(directory.glob("*.tar.gz"))


def main() -> None:
    """Check, build into `dist/`, and print each file with its SHA-256."""
    try:
        wanted = version()
        if changed := _git("status", "--porcelain"):
            raise ReleaseRefused(f"Commit or remove these first:\n{changed}")
        changelog = (ROOT / "CHANGELOG.md").read_text()
        require_changelog(changelog, wanted)
        shutil.rmtree(DIST, ignore_errors=True)
        files = build(DIST, int(_git("log", "-1", "--format=%ct")))
    except ReleaseRefused as refused:
        sys.exit(str(refused))
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    (DIST / "SHA256SUMS").write_text(sums)
    if has_unreleased(changelog):
        print(f"Not for handing over: these files say {wanted} and have the changes under 'Unreleased' as well.\n")
    print(f"Taximeter {wanted}, in dist/:\n{sums}\nNext: git tag -a v{wanted} -m 'Taximeter {wanted}'")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S607


if __name__ == "__main__":
    main()
