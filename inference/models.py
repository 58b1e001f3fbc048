"""The catalogue of models the engine has had. A model is its bytes: the SHA-256 of its file."""

from __future__ import annotations

from django.db import models


class Model(models.Model):
    """A model file, described by its own metadata. `key` is what requests and events call it."""

    digest = models.CharField(max_length=64, primary_key=True)
    key = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    architecture = models.CharField(max_length=64)
    quantization = models.CharField(max_length=32)
    parameters = models.BigIntegerField(help_text="number of weights")
    context_length = models.IntegerField(help_text="in tokens; 0 where the file does not say")
    license = models.CharField(max_length=200, blank=True)
    size_bytes = models.BigIntegerField()
    path = models.TextField()
    registered_at = models.DateTimeField()
    loaded_at = models.DateTimeField()

    class Meta:
        ordering = ["key", "digest"]

    def __str__(self) -> str:
        return self.key
