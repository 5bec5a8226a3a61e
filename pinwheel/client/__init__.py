"""The public API as a client sees it: who asks, and what is asked through the gateway."""
