"""The production settings, with a view more: the one that the events door is compared with."""

from config.settings import *  # noqa: F403

ROOT_URLCONF = "bench.served_urls"
