from __future__ import annotations

from collections.abc import Callable
from email.message import Message

from django.http import HttpRequest, HttpResponse

from accounts.services.audit import begin_acting, end_acting, record_download
from rest.addresses import address_of


class SessionUse:
    """Keep a session alive that its member uses, with the client's address and browser.

    Parts of pages that refresh themselves, and streams, are no use: a browser left open does not stay signed in.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        session = getattr(request, "session", None)
        if session is not None and session.accessed and response.status_code < 500 and not _is_automatic(request):
            agent = request.headers.get("User-Agent", "").replace("\x00", "")[:300]
            session.note_use(address=address_of(request), user_agent=agent)
        return response


def _is_automatic(request: HttpRequest) -> bool:
    if request.method not in {"GET", "HEAD"}:
        return False
    is_part = "HX-Request" in request.headers and "HX-Boosted" not in request.headers
    return is_part or "text/event-stream" in request.headers.get("Accept", "")


class Actor:
    """Keep the client's address for the audit trail, and leave an entry for each file that an answer is.

    The API key or the signed-in member is named once it is known.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        begin_acting(address=address_of(request))
        try:
            response = self.get_response(request)
            if request.method == "GET" and response.status_code == 200 and (file := _file_of(response)):
                record_download(target=_target(request), file=file)
        finally:
            end_acting()
        return response


def _file_of(response: HttpResponse) -> str:
    """The name of the file that an answer is; empty where it is none."""
    if "Content-Disposition" not in response.headers:
        return ""
    header = Message()
    header["Content-Disposition"] = response.headers["Content-Disposition"]
    return header.get_filename("") or ""


def _target(request: HttpRequest) -> str:
    """The thing that the address names, or else the address."""
    match = request.resolver_match
    return next((str(value) for value in match.kwargs.values()), request.path) if match else request.path
