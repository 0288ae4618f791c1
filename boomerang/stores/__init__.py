"""Where failures are remembered: in the process, in SQLite, in Redis."""
