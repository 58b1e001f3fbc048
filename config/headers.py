"""Security headers of every response, of whatever address."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from console.middleware import POLICY

#: For data and files: nothing in them runs or loads anything, and no page shows them in a frame.
_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
#: The admin's pages bring their scripts as files, too. Alpine, by which django-unfold's menus work, compiles the
#: expressions of its templates ('unsafe-eval'), and its colours and scroll bars are styles in the page.
_ADMIN = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
#: Swagger UI sets styles in the page, and has pictures in its style sheet.
_DOCS = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'").replace(
    "img-src 'self'", "img-src 'self' data:"
)
#: What no page of ours asks a browser for.
_PERMISSIONS = ", ".join(
    f"{name}=()"
    for name in (
        "accelerometer",
        "browsing-topics",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "hid",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "serial",
        "usb",
        "xr-spatial-tracking",
    )
)


class SecurityHeaders:
    """Adds what a view has not set itself. Outside of all other middlewares but the first, which reads no response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        headers = response.headers
        headers.setdefault("Content-Security-Policy", _policy_of(request))
        headers.setdefault("Permissions-Policy", _PERMISSIONS)
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("X-Frame-Options", "DENY")
        return response


def _policy_of(request: HttpRequest) -> str:
    match = request.resolver_match
    if match is None:  # nothing is there; the page that says so is the console's
        return _NOTHING if request.path.startswith(("/api/", "/static/", "/v1/")) else POLICY
    if match.namespace in {"console", "portal"} or match.url_name == "pay":
        return POLICY
    if match.namespace == "admin":
        return _ADMIN
    return _DOCS if match.url_name == "docs" else _NOTHING
