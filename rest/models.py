from django.db import models


class IdempotencyRecord(models.Model):
    """The first answer to a POST that carried an `Idempotency-Key`, kept for a day.

    `status` is NULL while the first request is still running.
    """

    organization_id = models.IntegerField()
    key = models.CharField(max_length=255)
    request_hash = models.BinaryField(max_length=32)
    status = models.SmallIntegerField(null=True)
    body = models.BinaryField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization_id", "key"], name="one_answer_per_idempotency_key")
        ]
        indexes = [models.Index(fields=["created_at"])]

    def __str__(self) -> str:
        return self.key
