"""What moored knows and must not forget: SQLite, one writer, nothing acknowledged uncommitted."""
