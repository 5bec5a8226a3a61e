"""Kubernetes objects: judged by the rules against the API's schemas; here they get their identity."""

from typing import Any

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created


@adapter("kubernetes:*")
def kubernetes_object(order: Order) -> Created:
    """An object of any kind. No API server answers here: nothing is sent."""
    metadata: dict[str, Any] = dict(order.inputs.get("metadata") or {})
    if not metadata.get("name") and not metadata.get("generateName"):
        metadata["name"] = f"{order.name}-{order.digits(8)}"
    name = metadata.get("name") or f"{metadata['generateName']}{order.digits(5)}"
    namespace = metadata.get("namespace")
    return Created(f"{namespace}/{name}" if namespace else name, {"metadata": {**metadata, "name": name}})
