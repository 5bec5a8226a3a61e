"""botocore's service models, loaded once and shared by the clients, the mapping and the checks."""

from functools import cache
from pathlib import Path
from typing import Any, cast

import botocore.session
import orjson
from botocore.loaders import JSONFileLoader, Loader
from botocore.model import ServiceModel, Shape


class _ModelFiles(JSONFileLoader):
    """Reads models as plain dictionaries, several times as fast as botocore's ordered ones (EC2's has 3 MB)."""

    def _load_file(self, full_path: str, open_method: Any) -> Any:
        if not Path(full_path).is_file():
            return None
        with open_method(full_path, "rb") as file:
            return orjson.loads(file.read())


@cache
def session() -> botocore.session.Session:
    """The one botocore session; its loader keeps every model it reads."""
    result = botocore.session.Session()
    result.register_component("data_loader", Loader(file_loader=_ModelFiles()))
    return result


@cache
def raw_model(service: str) -> dict[str, Any]:
    """The `service-2` model as data. Raises botocore's UnknownServiceError for a service that is not."""
    loader = cast("Loader", session().get_component("data_loader"))
    return loader.load_service_model(service, "service-2")


@cache
def _service_model(service: str) -> ServiceModel:
    return ServiceModel(raw_model(service), service_name=service)


@cache
def operation_input(service: str, operation: str) -> Shape:
    """The input shape of an operation, named as in the API (`CreateNodegroup`)."""
    shape = cast("Shape | None", _service_model(service).operation_model(operation).input_shape)
    if shape is None:
        raise KeyError(f"{service} {operation} takes no parameters")
    return shape


@cache
def operation_output(service: str, operation: str) -> Shape | None:
    """The output shape of an operation; None when it answers nothing."""
    return cast("Shape | None", _service_model(service).operation_model(operation).output_shape)
