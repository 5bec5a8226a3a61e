"""MSK Connect: plugins, worker settings and connectors."""

import base64

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created

_TIMEOUTS = "timeouts"  # how long the provider waits


@adapter("aws:mskconnect/customPlugin:CustomPlugin")
def custom_plugin(order: Order) -> Created:
    """Connector code, uploaded to S3."""
    name = order.default_name()
    answer = order.create(
        "kafkaconnect", "CreateCustomPlugin", renames={"location.s3": "s3Location"}, omit=(_TIMEOUTS,)
    )
    arn = answer.response["customPluginArn"]
    return answer.created(
        arn, {"arn": arn, "name": name, "latestRevision": answer.response["revision"], "state": "ACTIVE"}
    )


@adapter("aws:mskconnect/workerConfiguration:WorkerConfiguration")
def worker_configuration(order: Order) -> Created:
    """Settings of the workers; the API takes them in base64."""
    name = order.default_name()
    properties = str(order.inputs.get("propertiesFileContent", ""))
    answer = order.create(
        "kafkaconnect",
        "CreateWorkerConfiguration",
        omit=("propertiesFileContent", _TIMEOUTS),
        extra={"propertiesFileContent": base64.b64encode(properties.encode()).decode()},
    )
    arn = answer.response["workerConfigurationArn"]
    revision = answer.response["latestRevision"]["revision"]
    return answer.created(arn, {"arn": arn, "name": name, "latestRevision": revision})


@adapter("aws:mskconnect/connector:Connector")
def connector(order: Order) -> Created:
    """A running connector."""
    name = order.default_name()
    answer = order.create(
        "kafkaconnect",
        "CreateConnector",
        renames={
            "name": "connectorName",
            "description": "connectorDescription",
            "plugins.customPlugin.arn": "customPluginArn",
            "workerConfiguration.arn": "workerConfigurationArn",
        },
        omit=(_TIMEOUTS,),
    )
    arn = answer.response["connectorArn"]
    return answer.created(arn, {"arn": arn, "name": name})
