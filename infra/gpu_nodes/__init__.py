"""G5 nodes: who may run on them, how they are launched, shared and watched."""
