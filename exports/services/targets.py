"""Where scheduled exports are delivered: a directory, or a bucket of S3 or of what speaks like it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from pyarrow.fs import FileSelector, FileSystem, LocalFileSystem

from kernel.files import private_directory

_CHUNK = 1 << 20


class Target:
    """A file system and a path in it. Credentials of S3 come from the environment, as its own tools read them."""

    def __init__(self, url: str) -> None:
        """`url` is a directory, or such as `s3://bucket/prefix?region=eu-central-1&endpoint_override=host:9000`."""
        if "://" in url:
            self._files, self._base = FileSystem.from_uri(url)
        else:
            self._files, self._base = LocalFileSystem(), str(Path(url).resolve())
        self._is_local = isinstance(self._files, LocalFileSystem)
        self._scheme = "" if self._is_local else f"{url.partition('://')[0]}://"

    def named(self, folder: str) -> str:
        """The place of `folder`, for members: of a directory of the server only what lies below it."""
        if self._is_local:
            return folder
        return f"{self._scheme}{self._base}/{folder}"

    def put(self, source: Path, folder: str, name: str) -> None:
        """Copy a file to `folder`/`name`: it appears there whole."""
        with source.open("rb") as opened, self._opened(folder, name) as stream:
            while chunk := opened.read(_CHUNK):
                stream.write(chunk)

    def put_bytes(self, content: bytes, folder: str, name: str) -> None:
        with self._opened(folder, name) as stream:
            stream.write(content)

    def names(self, folder: str) -> list[str]:
        """The files in `folder`."""
        found = self._files.get_file_info(FileSelector(f"{self._base}/{folder}", allow_not_found=True))
        return sorted(info.base_name for info in found)

    @contextmanager
    def _opened(self, folder: str, name: str) -> Iterator[Any]:
        if self._is_local:
            with self._aside(Path(self._base, folder), name) as stream:
                yield stream
        else:
            # An object appears when its upload is completed, which closing the stream does: also after a failure, for
            # a stream cannot be given up.
            path = f"{self._base}/{folder}/{name}"
            stream = self._files.open_output_stream(path)
            try:
                yield stream
            except BaseException:
                with suppress(OSError):
                    stream.close()
                    self._files.delete_file(path)
                raise
            stream.close()

    @contextmanager
    def _aside(self, directory: Path, name: str) -> Iterator[Any]:
        private_directory(directory)
        descriptor, aside = tempfile.mkstemp(prefix=f".{name}.", suffix=".tmp", dir=directory)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            Path(aside).replace(directory / name)
        finally:
            Path(aside).unlink(missing_ok=True)


def named_target() -> str:
    """The target of scheduled exports, for members: no keys of its address, and no path of the server; "" for none."""
    parts = urlsplit(settings.EXPORT_TARGET)
    if not parts.scheme:
        return "a directory of this server" if settings.EXPORT_TARGET else ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def configured_target() -> Target | None:
    """What `TAXIMETER_EXPORT_TARGET` names; None where nothing is to be delivered."""
    return Target(settings.EXPORT_TARGET) if settings.EXPORT_TARGET else None
