"""Makes databases and users in Aurora MySQL."""
