"""The engine beside others that are kept: `python -m services.search.benchmark --pins 1000000`."""
