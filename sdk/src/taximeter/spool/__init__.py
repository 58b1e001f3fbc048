"""The spool: usage events in files, from the moment they are recorded until the server has them.

    spool/
      FORMAT                      what is written here, and in which version
      refused.jsonl               events the server will never take, each with the reason
      losses.jsonl                what was dropped because there was no room, counted
      20261124T013412-4711-9f3c/  the log of one process, locked by it for as long as it lives
        lock
        00000001.log              records, one a line: a mark, the checksum, the event
        sent                      how far the log has been delivered

Each process appends to a log of its own, so that writers never wait for each other. A log that nobody locks belongs
to a process that is gone; whoever locks it first sends what is left in it.
"""
