"""Scores as files, one module a form. It knows nothing of a command line, and whoever calls it names the file."""
