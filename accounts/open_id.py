"""OpenID Connect, by Authlib: the authorization code flow with PKCE, state and nonce, and the ID token's checks."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote_plus

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from django.conf import settings
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from kernel.errors import ConflictError, TaximeterError
from kernel.targets import read_url
from rest.outgoing import checked_options

#: Signatures by a private key of the provider alone: where shared secrets count (HS256), its public key is one.
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
_ASYMMETRIC = {"RSA", "EC", "OKP"}
_LEEWAY_SECONDS = 60


class SignInRefused(ConflictError):
    """The provider, or what it says, does not let this person in. The text says why, for the person who tries."""

    code = "sign_in_refused"


@dataclass(frozen=True, slots=True)
class Client:
    """This server as a client of a provider: `issuer` is its URL, `redirect_uri` the page that it sends people to."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in under way, to be kept in the browser's session: each works once."""

    state: str
    nonce: str
    verifier: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def begin(client: Client) -> tuple[str, Begun]:
    """The page of the provider where the person signs in, and what has to be remembered until they come back.

    Raises `SignInRefused` where the provider does not answer, or not as one.
    """
    begun = Begun(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))
    with _http() as http:
        metadata = _metadata(http, client.issuer)
    address = prepare_grant_uri(
        metadata["authorization_endpoint"],
        client.client_id,
        "code",
        redirect_uri=client.redirect_uri,
        scope="openid email profile",
        state=begun.state,
        nonce=begun.nonce,
        code_challenge=create_s256_code_challenge(begun.verifier),
        code_challenge_method="S256",
    )
    return str(address), begun


def finish(client: Client, begun: Begun, query: Mapping[str, str], *, now: float) -> dict[str, Any]:
    """The claims of the ID token that the provider gives for what it sent the person back with (`query`).

    `now` is in seconds since 1970. Raises `SignInRefused` for any doubt: another state, a token that is forged,
    expired, of another issuer, for another client or of another sign-in.
    """
    if not secrets.compare_digest(query.get("state", ""), begun.state):
        raise SignInRefused("This sign-in was not begun here, or is over. Begin again")
    if query.get("iss", client.issuer) != client.issuer:  # RFC 9207
        raise SignInRefused("The answer is another provider's")
    if "error" in query or not query.get("code"):
        raise SignInRefused("The provider did not sign you in")
    with _http() as http:
        metadata = _metadata(http, client.issuer)
        token = _token(http, metadata["token_endpoint"], client, begun, query["code"])
        keys = _json(http, "GET", metadata["jwks_uri"])
    if not isinstance(token, dict) or not isinstance(token.get("id_token"), str):
        raise SignInRefused("The provider gave no ID token")
    return _claims(client, begun, token, keys, now=now)


def _claims(client: Client, begun: Begun, token: dict[str, Any], keys: Any, *, now: float) -> dict[str, Any]:
    try:
        usable = [one for one in keys["keys"] if one.get("kty") in _ASYMMETRIC and one.get("use", "sig") == "sig"]
        read = jwt.decode(token["id_token"], KeySet.import_key_set({"keys": usable}), algorithms=_ALGORITHMS)
        claims = CodeIDToken(
            read.claims,
            read.header,
            {"iss": {"essential": True, "value": client.issuer}, "aud": {"essential": True, "value": client.client_id}},
            {"nonce": begun.nonce, "client_id": client.client_id, "access_token": token.get("access_token")},
        )
        claims.validate(now=int(now), leeway=_LEEWAY_SECONDS)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        raise SignInRefused("What the provider says about you cannot be trusted. Begin again") from None
    found = dict(read.claims)
    if not isinstance(found["sub"], str) or not 0 < len(found["sub"]) <= 255 or "\x00" in found["sub"]:
        raise SignInRefused("The provider does not say who you are")
    return found


def _http() -> httpx.Client:
    return httpx.Client(headers={"Accept": "application/json"}, **checked_options())


def _token(http: httpx.Client, url: str, client: Client, begun: Begun, code: str) -> Any:
    """The provider's answer to a code (RFC 6749, 4.1.3). A client without a secret is a public one, held by PKCE."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uri,
        "code_verifier": begun.verifier,
    }
    if not client.client_secret:
        return _json(http, "POST", url, data=form | {"client_id": client.client_id})
    # Name and secret are form-encoded first (RFC 6749, 2.3.1).
    return _json(http, "POST", url, data=form, auth=(quote_plus(client.client_id), quote_plus(client.client_secret)))


def _metadata(http: httpx.Client, issuer: str) -> dict[str, str]:
    """The provider's description of itself (OpenID Connect Discovery 1.0)."""
    found = _json(http, "GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    if not isinstance(found, dict) or found.get("issuer") != issuer:
        raise SignInRefused("The provider says that it is another")
    if not all(isinstance(found.get(name), str) for name in names):
        raise SignInRefused("The provider does not describe how to sign in")
    try:
        require_address(found["authorization_endpoint"])
    except TaximeterError:
        raise SignInRefused("The provider's own sign-in is at no address that this server leads to") from None
    return {name: found[name] for name in names}


def require_address(url: str) -> None:
    """Raises `kernel.targets.UrlRefused` for a URL that this server does not go to."""
    read_url(url, allows_http=settings.WEBHOOK_HTTP, allowed=settings.WEBHOOK_ALLOWED_NETWORKS)


def _json(http: httpx.Client, method: str, url: str, **options: Any) -> Any:
    try:
        answer = http.request(method, url, **options)
        answer.raise_for_status()
        return answer.json()
    except (httpx.HTTPError, TaximeterError, ValueError):
        raise _away() from None


def _away() -> SignInRefused:
    return SignInRefused("The provider does not answer. Try again later, or sign in by password")
