"""MSK Connect: custom plugins, worker configurations and connectors."""
