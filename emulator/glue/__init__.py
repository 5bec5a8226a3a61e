"""Glue: Iceberg tables that exist from the start, and table optimizers; the rest is moto's."""
