"""The messages and services between services: `.proto` files and what `make protos` generates of them."""
