"""The services on EKS: what each declares of itself, and everything that follows from it."""
