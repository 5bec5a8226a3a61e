"""Kubernetes objects: judged by the rules against the API's schemas; here they are applied and get their identity."""

from typing import Any

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created


@adapter("kubernetes:*")
def kubernetes_object(order: Order) -> Created:
    """An object of any kind. It is applied where an API server stands behind the cluster."""
    metadata: dict[str, Any] = dict(order.inputs.get("metadata") or {})
    if not metadata.get("name") and not metadata.get("generateName"):
        metadata["name"] = f"{order.name}-{order.digits(8)}"
    name = metadata.get("name") or f"{metadata['generateName']}{order.digits(5)}"
    namespace = metadata.get("namespace")
    metadata = {**metadata, "name": name}
    stored = order.cloud.apply({**order.inputs, "metadata": metadata})
    return Created(f"{namespace}/{name}" if namespace else name, stored or {"metadata": metadata})
