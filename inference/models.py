"""The catalogue of models the engine may load. A model is its bytes: the SHA-256 of its file."""

from __future__ import annotations

from django.db import models


class Model(models.Model):
    """A model file, described by its own metadata. `key` is what requests and events call it.

    A recalled model stays, as its digest must never be used again.
    """

    digest = models.CharField(max_length=64, primary_key=True)
    key = models.CharField(max_length=200, unique=True)
    name = models.CharField(max_length=200)
    architecture = models.CharField(max_length=64)
    quantization = models.CharField(max_length=32)
    parameters = models.BigIntegerField(help_text="number of weights")
    context_length = models.IntegerField(help_text="in tokens; 0 where the file does not say")
    license = models.CharField(max_length=200, blank=True)
    size_bytes = models.BigIntegerField()
    path = models.TextField()
    metadata = models.JSONField(default=dict, help_text="what the engine goes by, as read from the file")
    manifest = models.TextField(blank=True, help_text="what a publisher signed, byte for byte")
    signature = models.CharField(max_length=100, blank=True, help_text="Ed25519 over the manifest, in base64")
    added_by = models.CharField(max_length=254, blank=True)
    registered_at = models.DateTimeField()
    loaded_at = models.DateTimeField(null=True, help_text="when an engine last loaded it")
    recalled_at = models.DateTimeField(null=True)
    recalled_by = models.CharField(max_length=254, blank=True)
    recall_reason = models.TextField(blank=True)

    class Meta:
        ordering = ["key", "digest"]

    def __str__(self) -> str:
        return self.key
