"""What others send: documents in, conversations out. Standard library only; see `registry.read`."""
