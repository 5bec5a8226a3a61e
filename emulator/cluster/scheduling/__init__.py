"""Where pods go: the filters and the scores of the Kubernetes scheduler."""
