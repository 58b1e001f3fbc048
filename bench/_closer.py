"""A worker of `bench.close_month`: works one billing run to its end, beside others, and prints its peak memory in MiB.

It imports all first and waits for a line on its input, so that nobody measures how Python starts.
"""

from __future__ import annotations

import resource
import sys
import time
from datetime import datetime


def main(now: str) -> None:
    import django  # noqa: PLC0415 - the settings come from the environment

    django.setup()
    from django.db import connections  # noqa: PLC0415

    from billing.invoicing.runs import work_billing_run  # noqa: PLC0415
    from billing.models import BillingRun  # noqa: PLC0415

    print("ready", flush=True)
    run = BillingRun.objects.get(pk=sys.stdin.readline().strip())
    while not work_billing_run(run=run, now=datetime.fromisoformat(now)):
        time.sleep(0.05)
    connections.close_all()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


if __name__ == "__main__":
    main(sys.argv[1])
