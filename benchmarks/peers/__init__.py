"""Other servers of the same encoder, each with its environment's requirements beside it; nothing here imports app."""
