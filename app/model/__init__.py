"""The only place that opens `models/` and imports an inference library."""
