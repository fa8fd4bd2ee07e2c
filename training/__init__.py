"""Offline: rebuilds a release of the model from the labelled corpus. `app` never imports it."""
