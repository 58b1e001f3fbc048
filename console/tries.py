"""Tries to sign in, by account and by client."""

from __future__ import annotations

from django.http import HttpRequest

from accounts.facade import Client, forget_guess, is_known_address, take_guess, take_request
from kernel.clock import system_clock
from rest.addresses import address_of, visitor_of


def take(request: HttpRequest, *, what: str, account: str) -> None:
    """One more guess of a password or code, before it is looked at. Raises `TooManyTries`."""
    take_guess(what=what, account=account, client=_client(request, account), now=system_clock())


def forget(request: HttpRequest, *, what: str, account: str) -> None:
    """The guess was right."""
    forget_guess(what=what, account=account, client=_client(request, account))


def take_mail(request: HttpRequest, *, what: str, account: str) -> None:
    """One more mail that is asked for without being signed in. Raises `TooManyTries`."""
    take_request(what=what, account=account, client=Client(visitor_of(request)), now=system_clock())


def _client(request: HttpRequest, account: str) -> Client:
    network = visitor_of(request)
    if network is None:
        return Client()
    is_known = is_known_address(email=account, address=address_of(request), now=system_clock())
    return Client(network, is_known)
