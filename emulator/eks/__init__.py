"""EKS: clusters, node groups, addons, access entries, pod identity associations and their updates."""
