"""The console's content security policy, and the reader's language."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from console.reader import reading

#: Everything a page needs comes from this server, and nothing in it runs unless it is a file of ours.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)


class ReaderLanguage:
    """Numbers and days of pages are written as the browser asks; those of files (`.csv`) are not."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_file = request.path.endswith(".csv") or request.path.startswith("/api/")
        with reading("" if is_file else request.headers.get("Accept-Language", "")):
            return self.get_response(request)
