"""Messages of events."""
