"""Aurora and RDS: clusters, instances and their groups."""

from typing import Any

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created

_DEFAULT_DESCRIPTION = "Managed by Pulumi"
_PARAMETERS_IN_ONE_CALL = 20
_PARAMETER = {"name": "ParameterName", "value": "ParameterValue"}
_ONLY_LATER = ("applyImmediately", "allowMajorVersionUpgrade", "skipFinalSnapshot", "deleteAutomatedBackups")
"""How changes and deletions are made."""

_COMMON = {
    "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
    "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
    "performanceInsightsEnabled": "EnablePerformanceInsights",
    "caCertIdentifier": "CACertificateIdentifier",
    "identifier": "DBInstanceIdentifier",
    "instanceClass": "DBInstanceClass",
}


@adapter("aws:rds/subnetGroup:SubnetGroup")
def subnet_group(order: Order) -> Created:
    """The subnets of a database."""
    name = _described(order)
    answer = order.create(
        "rds",
        "CreateDBSubnetGroup",
        renames={"name": "DBSubnetGroupName", "description": "DBSubnetGroupDescription"},
    )
    created = answer.response["DBSubnetGroup"]
    return answer.created(
        name, {"arn": created["DBSubnetGroupArn"], "name": name, "vpcId": created.get("VpcId")}
    )


@adapter("aws:rds/clusterParameterGroup:ClusterParameterGroup")
def cluster_parameter_group(order: Order) -> Created:
    """Parameters of a cluster."""
    return _parameter_group(order, "DBClusterParameterGroup")


@adapter("aws:rds/parameterGroup:ParameterGroup")
def parameter_group(order: Order) -> Created:
    """Parameters of an instance."""
    return _parameter_group(order, "DBParameterGroup")


def _parameter_group(order: Order, kind: str) -> Created:
    name = _described(order)
    answer = order.create(
        "rds",
        f"Create{kind}",
        renames={"name": f"{kind}Name", "family": "DBParameterGroupFamily"},
        omit=("parameters", "skipDestroy"),  # skipDestroy: the provider leaves the group at deletion
    )
    parameters = [{"applyMethod": "immediate", **each} for each in order.inputs.get("parameters") or ()]
    for start in range(0, len(parameters), _PARAMETERS_IN_ONE_CALL):
        order.inputs = {**order.inputs, "parameters": parameters[start : start + _PARAMETERS_IN_ONE_CALL]}
        order.further("rds", f"Modify{kind}", "parameters", renames=_PARAMETER, **{f"{kind}Name": name})
    created = answer.response[kind]
    return answer.created(name, {"arn": created.get(f"{kind}Arn"), "name": name})


def _described(order: Order) -> str:
    name = order.default_name()
    order.inputs = {"description": _DEFAULT_DESCRIPTION, **order.inputs}
    return name


@adapter("aws:rds/cluster:Cluster")
def cluster(order: Order) -> Created:
    """An Aurora cluster; its instances are resources of their own."""
    name = order.default_name("clusterIdentifier")
    answer = order.create(
        "rds",
        "CreateDBCluster",
        renames={
            **_COMMON,
            "clusterIdentifier": "DBClusterIdentifier",
            "masterPassword": "MasterUserPassword",
            "masterPasswordWo": "MasterUserPassword",
        },
        omit=(
            *_ONLY_LATER,
            "finalSnapshotIdentifier",
            "dbInstanceParameterGroupName",  # used when a major version changes
            "iamRoles",
            "masterPasswordWoVersion",  # tells the provider that the password changed
        ),
    )
    order.later(
        "rds",
        "DeleteDBCluster",
        "finalSnapshotIdentifier",
        renames={"finalSnapshotIdentifier": "FinalDBSnapshotIdentifier"},
        DBClusterIdentifier=name,
    )
    for role in order.inputs.get("iamRoles") or ():
        order.call("rds", "AddRoleToDBCluster", DBClusterIdentifier=name, RoleArn=role)
    created = answer.response["DBCluster"]
    return answer.created(
        name,
        {
            "arn": created["DBClusterArn"],
            "clusterIdentifier": name,
            "clusterResourceId": created.get("DbClusterResourceId"),
            "endpoint": created.get("Endpoint"),
            "readerEndpoint": created.get("ReaderEndpoint"),
            "port": created.get("Port"),
            "hostedZoneId": created.get("HostedZoneId"),
            "engineVersion": created.get("EngineVersion"),
            "engineVersionActual": created.get("EngineVersion"),
            "masterUserSecrets": _secrets(created),
        },
    )


@adapter("aws:rds/clusterInstance:ClusterInstance")
def cluster_instance(order: Order) -> Created:
    """The writer or a reader of an Aurora cluster."""
    answer, created = _instance(order, {"clusterIdentifier": "DBClusterIdentifier"})
    endpoint = created.get("Endpoint") or {}
    return answer.created(
        created["DBInstanceIdentifier"],
        {**_outputs(created), "endpoint": endpoint.get("Address"), "port": endpoint.get("Port")},
    )


@adapter("aws:rds/instance:Instance")
def instance(order: Order) -> Created:
    """A database instance without a cluster."""
    answer, created = _instance(
        order,
        {
            "username": "MasterUsername",
            "password": "MasterUserPassword",
            "passwordWo": "MasterUserPassword",
            "backupWindow": "PreferredBackupWindow",
            "maintenanceWindow": "PreferredMaintenanceWindow",
            "parameterGroupName": "DBParameterGroupName",
            "customerOwnedIpEnabled": "EnableCustomerOwnedIp",
        },
    )
    endpoint = created.get("Endpoint") or {}
    address, port = endpoint.get("Address"), endpoint.get("Port")
    return answer.created(
        created["DbiResourceId"],
        {
            **_outputs(created),
            "address": address,
            "endpoint": f"{address}:{port}",
            "port": port,
            "resourceId": created["DbiResourceId"],
            "masterUserSecrets": _secrets(created),
        },
    )


def _instance(order: Order, renames: dict[str, str]) -> tuple[Any, dict[str, Any]]:
    name = order.default_name("identifier")
    answer = order.create(
        "rds",
        "CreateDBInstance",
        renames={**_COMMON, **renames},
        # forceDestroy concerns deletion, blueGreenUpdate changes; the version tells of a new password.
        omit=(
            *_ONLY_LATER,
            "finalSnapshotIdentifier",
            "forceDestroy",
            "blueGreenUpdate",
            "passwordWoVersion",
        ),
    )
    order.later(
        "rds",
        "DeleteDBInstance",
        "finalSnapshotIdentifier",
        renames={"finalSnapshotIdentifier": "FinalDBSnapshotIdentifier"},
        DBInstanceIdentifier=name,
    )
    return answer, answer.response["DBInstance"]


def _outputs(created: dict[str, Any]) -> dict[str, Any]:
    return {
        "arn": created["DBInstanceArn"],
        "identifier": created["DBInstanceIdentifier"],
        "dbiResourceId": created.get("DbiResourceId"),
        "engineVersionActual": created.get("EngineVersion"),
        "availabilityZone": created.get("AvailabilityZone"),
    }


def _secrets(created: dict[str, Any]) -> list[dict[str, Any]]:
    secret = created.get("MasterUserSecret")
    # The provider waits for the database, and with it for the secret.
    return [{**secret, "SecretStatus": "active"}] if secret else []
