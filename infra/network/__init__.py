"""The VPC and everything that routes in it."""
