"""Conversations while they are spoken: turn by turn over HTTP, or over a socket."""
