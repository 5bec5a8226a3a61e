"""What runs: one module a team's services, each with `services(environment)`. A new file here is a new service."""
