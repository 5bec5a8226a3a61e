"""The graph of boards and pins (Zen): what is near a pin, and what would fit on a board."""
