"""Messages of ml."""
