"""The EKS cluster, what runs its nodes, and the addons without which nothing runs on them."""
