"""One mapping for each format: from a record, as it was exported, to usage events. Pure: no database, no clock.

A record becomes the same events whenever it is imported: their ids are made of its own id. What was said in it,
prompts, answers, arguments and results, is read nowhere.
"""
