"""The emulated EKS cluster: a Kubernetes API, its controllers, a scheduler, and pods that are processes."""
