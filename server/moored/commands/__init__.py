"""The commands of moored beside serving. What each takes is imported when it runs."""
