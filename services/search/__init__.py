"""The search service: leaves that index, and a root that asks them."""
