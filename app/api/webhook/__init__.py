"""Webhooks over HTTP: who is told of what, and what became of it."""
