"""Messages of search."""
