"""The gateway: Envoy and what configures it."""
