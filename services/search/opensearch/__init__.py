"""The search service on Amazon OpenSearch, for when one machine is outgrown: SEARCH_BACKEND=opensearch.

What it finds is about a second old (`refresh_interval`), where the embedded engine takes a tenth of that.
"""
