"""Mail as files: one .eml each, which any mail program opens. For a machine that sends none."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import EmailMessage

from kernel.files import private_directory

_UNSAFE = re.compile(r"[^A-Za-z0-9._@+-]+")


class EmailBackend(BaseEmailBackend):
    """Writes each mail into `EMAIL_FILE_PATH`, by a name that says when, to whom and about what. Other users of the
    machine may not read it: some mail holds links that let people in."""

    def __init__(self, *_: Any, file_path: str | None = None, **__: Any) -> None:
        super().__init__()
        self._directory = Path(file_path or getattr(settings, "EMAIL_FILE_PATH"))  # noqa: B009 - only of this backend

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        private_directory(self._directory)
        for message in email_messages:
            self._write(message)
        return len(email_messages)

    def _write(self, message: EmailMessage) -> None:
        content: Any = message.message()
        sent = parsedate_to_datetime(str(content["Date"])).astimezone(UTC)
        to = message.to[0] if message.to else "nobody"
        name = f"{sent:%Y%m%d-%H%M%S} {_safe(to, 60)} {_safe(str(message.subject), 60)}"
        handle, path = tempfile.mkstemp(dir=self._directory, prefix=".", suffix=".partial")
        with os.fdopen(handle, "wb") as file:
            file.write(content.as_bytes(linesep="\r\n"))
        number = 1
        while True:
            target = self._directory / (f"{name}.eml" if number == 1 else f"{name} ({number}).eml")
            try:
                os.link(path, target)
            except FileExistsError:
                number += 1
            else:
                os.unlink(path)
                return


def _safe(text: str, length: int) -> str:
    return _UNSAFE.sub("-", text).strip("-.")[:length] or "mail"
