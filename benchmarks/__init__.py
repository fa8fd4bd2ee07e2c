"""softsell beside what people would otherwise run: one command, `make bench`; see `benchmarks/__main__.py`."""
