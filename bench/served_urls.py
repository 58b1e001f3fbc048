"""The production addresses and, beside them, a view that does one single-row INSERT and nothing else."""

import uuid

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from config.urls import handler404, handler500

__all__ = ["handler404", "handler500", "insert", "urlpatterns"]

#: `bench_copy` has the log's columns, partitions and indexes.
_INSERT = """
INSERT INTO bench_copy (identity, organization_id, source, event_id, type, subject, time, received_at, data)
VALUES (%s, 1, 'edge/1', 'an id', 'agent.turn', 'customer-1', '2026-10-10Z', now(), '{"agent": "support"}')
"""


@csrf_exempt
def insert(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [uuid.uuid4()])
    return HttpResponse(b"{}", content_type="application/json")


urlpatterns = [path("bench/insert", insert), path("", include("config.urls"))]
