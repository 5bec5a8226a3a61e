"""botocore's service models, loaded once and shared by the clients, the mapping and the checks."""

from functools import cache
from typing import Any, cast

import botocore.session
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from emulator.model_files import ModelFiles


@cache
def session() -> botocore.session.Session:
    """The one botocore session; its loader keeps every model it reads."""
    result = botocore.session.Session()
    result.register_component("data_loader", Loader(file_loader=ModelFiles()))
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
