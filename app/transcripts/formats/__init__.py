"""The formats, one a file. A module here defines `READER` and is found by being here."""
