"""Groups of commands of the command line, one module a group; `app.cli` joins them."""
