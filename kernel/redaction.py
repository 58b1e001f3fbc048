"""Texts without paths of the server, for people who use it and do not run it."""

from __future__ import annotations

import re

#: An absolute path of at least two parts, not a part of a URL; and its last part.
_PATH = re.compile(r"(?<![\w/:.\-])/(?:[^\s/'\"<>:,;()\[\]{}]+/)+([^\s/'\"<>:,;()\[\]{}]*)")


def without_paths(text: str) -> str:
    """`text` with each absolute path shortened to the name of its file, as in errors of the operating system."""
    return _PATH.sub(lambda found: found[1] or "…", text)
