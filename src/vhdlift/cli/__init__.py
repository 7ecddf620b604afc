"""The command line: one command a file; `main` parses, calls, and maps errors to exit codes."""
