"""The WSGI environment (PEP 3333) of a request that came by RSGI."""

from __future__ import annotations

import sys
from io import BytesIO
from typing import Any

_BASE: dict[str, Any] = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


def environment_of(scope: Any) -> dict[str, Any]:
    """The environment for `scope` (RSGI's HTTP scope), with an empty body.

    A header whose name has an underscore is left out: WSGI could not tell it from the one with a hyphen, such as
    `X-Forwarded-For`, that a proxy in front vouches for.
    """
    server, _, port = scope.server.rpartition(":")
    environ = _BASE | {
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "SERVER_NAME": server.strip("[]"),
        "SERVER_PORT": port,
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(),
    }
    if scope.authority:
        environ["HTTP_HOST"] = scope.authority
    for name, value in scope.headers.items():
        if "_" in name:
            continue
        variable = name.upper().replace("-", "_")
        if variable not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            variable = f"HTTP_{variable}"
        known = f"{environ[variable]}{';' if name == 'cookie' else ','}" if variable in environ else ""
        environ[variable] = known + value
    return environ
