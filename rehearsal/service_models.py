"""botocore's service models, loaded once and shared by the clients, the mapping and the checks."""

import os
from functools import cache
from typing import Any, cast

import botocore.session
from botocore.configprovider import ConstantProvider
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from emulator.model_files import ModelFiles


@cache
def session() -> botocore.session.Session:
    """The one botocore session; its loader keeps every model it reads.

    Nothing of this machine leads it astray: no AWS_PROFILE, AWS_ENDPOINT_URL, ~/.aws/config and the like.
    """
    variables: dict[str, Any] = {
        name: (in_file, None, default, convert)  # None: no variable of the process
        for name, (in_file, _, default, convert) in botocore.session.Session.SESSION_VARIABLES.items()
    }
    variables["config_file"] = variables["credentials_file"] = (None, None, os.devnull, None)
    result = botocore.session.Session(session_vars=variables)
    # The one section of the file that has variables of its own.
    result.get_component("config_store").set_config_provider("s3", ConstantProvider(None))
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
