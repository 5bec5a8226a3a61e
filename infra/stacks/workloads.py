"""The workloads layer: images, buckets, queues, the user pool, the way secrets come in, and the services.

Before the first time there are no images for the pods to start from: bring the component `repositories` up alone
(`pulumi up -s <environment>-workloads --target '**Repositories**' --target-dependents`), push the images, then
the rest.
"""

import pulumi

from infra import contracts
from infra.environment import Environment
from infra.providers import aws_provider, kubernetes_provider
from infra.workloads import declarations
from infra.workloads.buckets import Buckets, BucketsArgs
from infra.workloads.declared.gateway import FOLDER
from infra.workloads.endpoints import EDGE_PORT
from infra.workloads.gateway.identity import UserPool, UserPoolArgs
from infra.workloads.gateway.upstreams import file_contents
from infra.workloads.platform import Files
from infra.workloads.queues import Queues, QueuesArgs
from infra.workloads.repository import Repositories, RepositoriesArgs
from infra.workloads.secrets import Operator, OperatorArgs
from infra.workloads.service import NAMESPACE
from infra.workloads.workloads import Workloads, WorkloadsArgs


def stack(environment: Environment) -> None:
    """Declares the layer."""
    services = declarations.services(environment)
    cluster = contracts.read(contracts.ClusterContract, environment.name)
    data = contracts.read(contracts.DataContract, environment.name)
    aws = aws_provider(environment)
    under_aws = pulumi.ResourceOptions(providers=[aws])
    kubernetes = kubernetes_provider(environment, cluster)
    under_both = pulumi.ResourceOptions(providers=[aws, kubernetes])

    repositories = Repositories(
        "repositories", RepositoriesArgs(environment, declarations.images(services)), under_aws
    )
    buckets = Buckets("buckets", BucketsArgs(environment), under_aws)
    queues = Queues("queues", QueuesArgs(environment, declarations.queues(services)), under_aws)
    people = UserPool("people", UserPoolArgs(environment), under_aws)
    gateway = declarations.edge(services)
    operator = Operator(
        "external-secrets", OperatorArgs(environment, cluster, data, services, after=[kubernetes]), under_both
    )
    Workloads(
        "workloads",
        WorkloadsArgs(
            environment=environment,
            namespace=NAMESPACE,
            services=services,
            cluster=cluster,
            data=data,
            repositories=repositories.urls,
            storage=buckets.storage,
            queues=queues.queues,
            files={gateway.name: Files(FOLDER, file_contents(environment, services, NAMESPACE, people))},
            after=[operator],
        ),
        under_both,
    )
    contracts.export(
        contracts.WorkloadsContract(
            namespace=pulumi.Output.from_input(NAMESPACE),
            services=pulumi.Output.from_input([service.name for service in services]),
            gateway_address=pulumi.Output.from_input(
                f"{gateway.name}.{NAMESPACE}.svc.cluster.local:{EDGE_PORT}"
            ),
            user_pool_id=people.pool_id,
            user_pool_client_id=people.client_id,
            issuer=people.issuer,
            image_repositories=pulumi.Output.all(**repositories.urls),
            buckets=pulumi.Output.from_input(
                {name: storage.bucket.name for name, storage in buckets.storage.items()}
            ),
            queue_prefixes=pulumi.Output.from_input(
                {name: each.prefix for name, each in queues.queues.items()}
            ),
        )
    )
