"""Batches over HTTP: taken in, told of, their results handed out."""
