"""How a score is made and run: the pipeline, its limits, its queue. No HTTP, torch or SQL."""
