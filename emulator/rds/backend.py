"""moto's RDS backend with Aurora as AWS has it, and a real server behind each Aurora MySQL cluster if there are any."""

import json
import secrets
from typing import TYPE_CHECKING, Any, Final

import moto.rds.models
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.moto_api._internal import mock_random
from moto.rds.exceptions import RDSClientError
from moto.rds.models import DBCluster, DBInstance, MasterUserSecret, RDSBackend, rds_backends

from emulator.rds import real
from emulator.rds.endpoints import Database, address
from emulator.rds.real import Credential

if TYPE_CHECKING:
    from emulator.rds.database_server import DatabaseServer

_MANAGED_PASSWORD_BYTES: Final = 24
_MONITORING: Final = "monitoring.rds.amazonaws.com"


class EmulatedRds(RDSBackend):
    """Refuses what AWS refuses, and keeps what moto loses."""

    @property
    def SNAPSHOT_QUOTA(self) -> int:  # noqa: N802 - moto's name
        """The quota is one of manual snapshots; moto counts the automated ones of every instance as well."""
        automated = sum(each.snapshot_type == "automated" for each in self.database_snapshots.values())
        return super().SNAPSHOT_QUOTA + automated

    def create_db_cluster(self, kwargs: Any) -> DBCluster:
        """A cluster whose references exist."""
        identifier = kwargs["db_cluster_identifier"]
        if identifier.lower() in self.clusters:
            raise RDSClientError("DBClusterAlreadyExistsFault", f"DB Cluster {identifier} already exists")
        self._require_cluster_references(kwargs)
        storage = kwargs.get("storage_type")
        if storage and str(kwargs.get("engine")).startswith("aurora"):
            kwargs["storage_type"] = None  # moto knows only the types of RDS without Aurora
        cluster: Any = super().create_db_cluster(kwargs)
        if cluster.engine.startswith("aurora"):
            cluster.storage_type = storage or "aurora"
        self._keep(cluster, kwargs)
        servers = real.servers()
        if servers and cluster.engine == "aurora-mysql":
            servers.create(
                cluster.url_identifier,
                cluster.db_cluster_identifier,
                _master_credential(cluster),
                cluster.database_name,
            )
        return cluster

    def modify_db_cluster(self, kwargs: Any) -> DBCluster:
        """The same checks as at the creation."""
        identifier = kwargs["db_cluster_identifier"]
        if identifier not in self.clusters:
            raise RDSClientError("DBClusterNotFoundFault", f"DBCluster {identifier} not found.")
        self._require_cluster_references(kwargs)
        cluster: Any = super().modify_db_cluster(kwargs)
        self._keep(self.clusters[cluster.db_cluster_identifier], kwargs)
        running = _server_of(cluster)
        if running:
            running.set_master(_master_credential(cluster))
        return cluster

    def delete_db_cluster(self, cluster_identifier: str, snapshot_name: str | None = None) -> DBCluster:
        """Its server goes with it."""
        cluster: Any = super().delete_db_cluster(cluster_identifier, snapshot_name)
        servers = real.servers()
        if servers:
            servers.delete(cluster.url_identifier)
        return cluster

    def create_db_instance(self, db_kwargs: Any) -> DBInstance:
        """An instance whose references exist; `db.serverless` needs a cluster with a capacity range."""
        role = db_kwargs.get("monitoring_role_arn")
        if db_kwargs.get("monitoring_interval") and not self._trusted(role, _MONITORING):
            raise RDSClientError(
                "InvalidParameterValue",
                f"The role {role!r} for enhanced monitoring does not exist or does not trust {_MONITORING}",
            )
        cluster: Any = self.clusters.get(db_kwargs.get("db_cluster_identifier") or "")
        serverless = db_kwargs.get("db_instance_class") == "db.serverless"
        if serverless and cluster is not None and not cluster.serverless_v2_scaling_configuration:
            raise RDSClientError(
                "InvalidDBClusterStateFault",
                "Set the Serverless v2 scaling configuration on the parent DB cluster before creating a "
                "Serverless v2 DB instance.",
            )
        self._require_parameter_group(self.db_parameter_groups, db_kwargs.get("db_parameter_group_name"))
        instance: Any = super().create_db_instance(db_kwargs)
        instance.performance_insights_enabled = bool(db_kwargs.get("enable_performance_insights"))
        if instance.performance_insights_enabled:
            instance.performance_insights_kms_key_id = db_kwargs.get("performance_insights_kms_key_id")
            instance.performance_insights_retention_period = (
                db_kwargs.get("performance_insights_retention_period") or 7
            )
        return instance

    def _keep(self, cluster: Any, kwargs: Any) -> None:
        for name in ("database_insights_mode", "performance_insights_retention_period"):
            if kwargs.get(name) is not None:
                setattr(cluster, name, kwargs[name])
        if kwargs.get("enable_performance_insights") is not None:
            cluster.performance_insights_enabled = kwargs["enable_performance_insights"]
        if kwargs.get("enable_http_endpoint") is not None:
            # moto allows it for retired serverless v1 versions only; AWS for Aurora MySQL 3.07 and later.
            cluster._enable_http_endpoint = kwargs["enable_http_endpoint"]

    def _require_cluster_references(self, kwargs: Any) -> None:
        group = kwargs.get("db_subnet_group_name")
        if group and group not in self.subnet_groups:
            raise RDSClientError("DBSubnetGroupNotFoundFault", f"DB subnet group {group!r} does not exist.")
        self._require_parameter_group(
            self.db_cluster_parameter_groups, kwargs.get("db_cluster_parameter_group_name")
        )
        ec2: Any = ec2_backends[self.account_id][self.region_name]
        for security_group in kwargs.get("vpc_security_group_ids") or []:
            if ec2.get_security_group_from_id(security_group) is None:
                raise RDSClientError(
                    "InvalidParameterValue", f"The security group {security_group!r} does not exist"
                )
        scaling = kwargs.get("serverless_v2_scaling_configuration")
        if scaling and float(scaling["min_capacity"]) > float(scaling["max_capacity"]):
            raise RDSClientError(
                "InvalidParameterValue",
                f"ServerlessV2ScalingConfiguration: the minimum capacity {scaling['min_capacity']} is larger "
                f"than the maximum capacity {scaling['max_capacity']}",
            )

    def _require_parameter_group(self, groups: Any, name: str | None) -> None:
        if name and name not in groups and not name.startswith("default."):
            raise RDSClientError("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}")

    def _trusted(self, arn: str | None, service: str) -> bool:
        roles: Any = iam_backends[self.account_id][self.partition].roles.values()
        return any(
            role.arn == arn and f'"{service}"' in str(role.assume_role_policy_document) for role in roles
        )


def install() -> None:
    """Put this backend in the place of moto's, and its endpoints and managed passwords, too."""
    rds_backends.backend = EmulatedRds
    models: Any = moto.rds.models
    models.uuid = mock_random  # seeded, as all else
    cluster: Any = DBCluster
    cluster.endpoint = property(lambda self: address(_of_cluster(self, "writer"))[0])
    cluster.reader_endpoint = property(lambda self: address(_of_cluster(self, "reader"))[0])
    cluster.port = property(lambda self: address(_of_cluster(self, "writer"))[1], _ask_for_port)
    cluster.multi_az = property(_multi_az, lambda _self, _value: None)
    instance: Any = DBInstance
    instance.address = property(lambda self: address(_of_instance(self))[0])
    instance.port = property(lambda self: address(_of_instance(self))[1], _ask_for_port)
    secret: Any = MasterUserSecret
    secret._generate_secret_string = lambda self: _managed_credential(self.resource.master_username)
    secret.rotate_secret = _rotate


def renew(secret: Any) -> None:
    """Fill the new version of a master user's secret that was just rotated, and tell the server.

    moto leaves it empty. RDS rotates the secrets that it manages itself, without a Lambda function.
    """
    version = secret.versions[secret.default_version_id]
    if version.get("secret_string"):
        return
    clusters: Any = rds_backends[secret.account_id][secret.region].clusters.values()
    cluster = next((each for each in clusters if _is_secret_of(secret, each)), None)
    former = next(each["secret_string"] for each in secret.versions.values() if each.get("secret_string"))
    version["secret_string"] = _managed_credential(json.loads(former)["username"])
    running = _server_of(cluster) if cluster else None
    if running:
        running.set_master(_master_credential(cluster))


def _rotate(managed: Any) -> None:
    managed._status = "rotating"
    managed.secretsmanager.rotate_secret(managed.secret.arn, rotate_immediately=True)
    renew(managed.secret)


def _is_secret_of(secret: Any, cluster: Any) -> bool:
    managed = getattr(cluster, "master_user_secret", None)
    return managed is not None and managed.secret is secret


def _server_of(cluster: Any) -> "DatabaseServer | None":
    servers = real.servers()
    return servers.of(cluster.url_identifier) if servers else None


def _master_credential(cluster: Any) -> Credential:
    """What the master user logs in with: the value of the managed secret, or the password that was given."""
    managed = getattr(cluster, "master_user_secret", None)
    if managed is None:
        return Credential(cluster.master_username, cluster._master_user_password)
    secret = managed.secret
    return Credential(**json.loads(secret.versions[secret.default_version_id]["secret_string"]))


def _of_cluster(cluster: Any, role: Any) -> Database:
    return Database(
        role, cluster.db_cluster_identifier, cluster.url_identifier, cluster.region, vars(cluster)["port"]
    )


def _of_instance(instance: Any) -> Database:
    of_cluster = getattr(
        instance, "db_cluster_identifier", None
    )  # moto asks for the port before it sets this
    cluster = instance.backend.clusters.get(of_cluster or "")
    unique = cluster.url_identifier if cluster is not None else "aaaaaaaaaa"
    port = vars(instance)["port"]
    return Database("instance", instance.db_instance_identifier, unique, instance.region, port)


def _ask_for_port(resource: Any, port: int | None) -> None:
    """What was asked for; where a real server listens is the server's choice."""
    vars(resource)["port"] = port


def _multi_az(cluster: Any) -> bool:
    """AWS calls an Aurora cluster Multi-AZ when its instances are in several zones."""
    return len({member.availability_zone for member in cluster.members}) > 1


def _managed_credential(username: str) -> str:
    """What AWS stores for ManageMasterUserPassword: the user's name and a password that nobody chose.

    A plain rehearsal repeats itself; where the password opens something, nobody can reckon it.
    """
    draw: Any = secrets.token_urlsafe if real.servers() else mock_random.token_urlsafe
    return json.dumps({"username": username, "password": draw(_MANAGED_PASSWORD_BYTES)})
