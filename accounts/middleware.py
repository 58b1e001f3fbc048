from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from accounts.services.audit import SYSTEM, act_as


class Actor:
    """Nobody is known to act when a request begins: its API key or its signed-in person is named once it is known."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        act_as(SYSTEM)
        return self.get_response(request)
