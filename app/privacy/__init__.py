"""Finds who is spoken of in a conversation, and masks it."""
