"""The containerized services. Each reads its environment and knows nothing of what deploys it."""
