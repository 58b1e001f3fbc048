"""`Idempotency-Key`: a POST sent again answers what it answered first."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from rest_framework.response import Response

from kernel.clock import system_clock
from kernel.errors import ConflictError, InvalidError
from rest.isolation import retried
from rest.models import IdempotencyRecord
from rest.parsers import decode_json
from rest.renderers import encode_json

#: How long a key and its answer are kept.
LIFETIME = timedelta(hours=24)
_BATCH = 5_000

#: How soon after the first an identical request without a key is taken for a second click.
IDENTICAL_WITHIN = timedelta(seconds=10)

Post = Callable[..., Response]


class IdenticalRequest(ConflictError):
    code = "identical_request"


def idempotent(method: Post) -> Post:
    """For a view's `post`: runs it and its record in one transaction.

    The record's row is the lock: a second request with the same key waits for nobody, it is told
    that the first is still running. A refused request leaves no record, so it may be put right and
    sent again under the same key.
    """

    @functools.wraps(method)
    def post(view: Any, request: Any, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return method(view, request, *args, **kwargs)
        if not 1 <= len(key) <= 255 or "\x00" in key:
            raise InvalidError("An Idempotency-Key has 1 to 255 characters", code="idempotency_key_invalid")

        def done() -> Response:
            with transaction.atomic():
                record = _claim(request.auth.organization_id, key, _hash(request))
                if record.status is not None:
                    return _replay(record)
                return _recorded(record, method(view, request, *args, **kwargs))

        return retried(done)

    return post


def clicked_once(method: Post) -> Post:
    """For a `post` that creates what has no key of its own or moves money, above `idempotent`.

    Raises `IdenticalRequest` (409) where the same API key sent the same request within `IDENTICAL_WITHIN` and neither
    came with an `Idempotency-Key`: a second click, or a client that tries again. Deliberate repetitions send keys.
    """

    @functools.wraps(method)
    def post(view: Any, request: Any, *args: Any, **kwargs: Any) -> Response:
        if request.headers.get("Idempotency-Key") is not None:
            return method(view, request, *args, **kwargs)
        digest = _hash(request)
        key = f"identical:{request.auth.pk}:{digest.hex()}"

        def done() -> Response:
            with transaction.atomic():
                IdempotencyRecord.objects.filter(
                    organization_id=request.auth.organization_id,
                    key=key,
                    created_at__lt=system_clock() - IDENTICAL_WITHIN,
                ).delete()
                record = _claim(request.auth.organization_id, key, digest)
                # Where it is refused for its own reason, that is said.
                response = method(view, request, *args, **kwargs)
                if record.status is None or bytes(record.body or b"") == encode_json(response.data):
                    return _recorded(record, response)
                raise _identical(decode_json(bytes(record.body or b"")))

        return retried(done)

    return post


def _identical(first: Any) -> IdenticalRequest:
    return IdenticalRequest(
        f"An identical request was done within the last {IDENTICAL_WITHIN.seconds} seconds"
        + (f" and created {first['id']}" if "id" in first else "")
        + ". To repeat it on purpose, send a new Idempotency-Key with it"
    )


def _hash(request: Any) -> bytes:
    parts = [request.method.encode(), request.path.encode(), encode_json(request.data)]
    return hashlib.sha256(b"\n".join(parts)).digest()


def _recorded(record: IdempotencyRecord, response: Response) -> Response:
    record.status, record.body = response.status_code, encode_json(response.data)
    record.save(update_fields=["status", "body"])
    return response


def _claim(organization_id: int, key: str, request_hash: bytes) -> IdempotencyRecord:
    now = system_clock()
    if not _try_lock(_lock_of(organization_id, key)):
        raise ConflictError("The first request with this Idempotency-Key is still running", code="idempotency_running")
    mine = IdempotencyRecord.objects.filter(organization_id=organization_id, key=key)
    mine.filter(created_at__lt=now - LIFETIME).delete()  # it may wait for the night still
    record, _ = mine.get_or_create(
        organization_id=organization_id, key=key, defaults={"request_hash": request_hash, "created_at": now}
    )
    if bytes(record.request_hash) != request_hash:
        raise InvalidError("This Idempotency-Key was used for another request", code="idempotency_key_reused")
    return record


def forget_old_keys(*, now: datetime) -> int:
    """Delete records that are older than `LIFETIME`, in batches; return how many."""
    forgotten = 0
    old = IdempotencyRecord.objects.filter(created_at__lt=now - LIFETIME).order_by("created_at")
    while some := list(old.values_list("pk", flat=True)[:_BATCH]):
        forgotten += IdempotencyRecord.objects.filter(pk__in=some).delete()[0]
    return forgotten


def _lock_of(organization_id: int, key: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{organization_id}:{key}".encode()).digest()[:8], signed=True)


def _try_lock(lock: int) -> bool:
    """A lock that ends with the transaction, so a killed process leaves none behind."""
    with transaction.get_connection().cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock])
        return bool(cursor.fetchone()[0])


def _replay(record: IdempotencyRecord) -> Response:
    response = Response(decode_json(bytes(record.body or b"")), status=record.status)
    response["Idempotent-Replayed"] = "true"
    return response


def done_once(*, organization_id: int, key: str, work: Callable[[], str]) -> tuple[str, bool]:
    """What `work` answers, done in one transaction with a record of `key`; and whether it was done before.

    Asked again, also while the first asking is under way (it is waited for), this answers what the first did. What
    raises leaves no record.
    """
    with transaction.atomic():
        with transaction.get_connection().cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_lock_of(organization_id, key)])
        record, _ = IdempotencyRecord.objects.get_or_create(
            organization_id=organization_id, key=key, defaults={"request_hash": b"", "created_at": system_clock()}
        )
        if record.status is not None:
            return bytes(record.body or b"").decode(), True
        answer = work()
        record.status, record.body = 303, answer.encode()
        record.save(update_fields=["status", "body"])
        return answer, False
