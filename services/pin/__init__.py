"""The pin service: users, boards, sections, pins, saves, and the graph of them."""
