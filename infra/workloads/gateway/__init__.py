"""The edge: one Envoy configuration for EKS and for the laptop, and the user pool whose tokens it verifies."""
