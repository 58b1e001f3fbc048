"""What the doors have in common: a request's way past the framework, which costs more than the event's INSERT."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.views import APIView

from metering.api import relief
from rest.access import Permission


class Door(APIView):
    """A view whose `post` gets Django's own request and does for itself what it needs of the framework.

    `request.auth` is the API key. Whatever is raised becomes an answer as in every other view.
    """

    required_permission: Any = Permission.SEND_EVENTS

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return super().dispatch(request, *args, **kwargs)
        try:
            with relief.passage():
                [authenticator] = self.get_authenticators()
                _, request.auth = authenticator.authenticate(request) or (None, None)
                for permission in self.get_permissions():
                    permission.has_permission(request, self)
                return self.post(request)
        except Exception as error:
            refusal: HttpResponseBase | None = self.get_exception_handler()(error, {"view": self, "request": request})
            if refusal is None:
                raise
            return refusal

    def post(self, request: Any) -> HttpResponse:
        raise NotImplementedError
