"""Where the botocore models are wrong or silent: the exceptions and supplements of `botocore_model`.

Keyed by service and shape, or by service and member (`CreateBucketRequest.Bucket`) where the shape is shared
by parameters with other rules. Each entry says why.
"""

from typing import Any

EXCEPTIONS: dict[tuple[str, str], dict[str, str]] = {
    ("route53", "ResourceId"): {
        # botocore's handler `fix_route53_ids` takes the prefix off before it sends the request.
        "max": "boto3 also takes the id as the API returns it, /hostedzone/Z..., which is longer than 32",
    },
    ("route53", "ChangeId"): {"max": "as ResourceId: boto3 also takes /change/C..."},
}
"""Constraints of a shape that are not applied, with the reason: real AWS accepts what they refuse.

All the patterns of the services used were tried on the requests in the models' own examples; a pattern
Python cannot run is skipped by `java_patterns` and needs no entry.
"""

_RDS_IDENTIFIER = {
    "pattern": r"[A-Za-z](-?[A-Za-z0-9])*",
    "min": 1,
    "max": 63,
    "advice": "1 to 63 letters, digits and hyphens, beginning with a letter, no hyphen last or doubled",
}
_RDS_GROUP: dict[str, Any] = {
    **_RDS_IDENTIFIER,
    "max": 255,
    "advice": "as a database's name, up to 255 characters",
}
_RDS_SUBNET_GROUP = {
    "pattern": r"(?!default$)[A-Za-z0-9._ -]+",
    "max": 255,
    "advice": "up to 255 letters, digits, full stops, underscores, spaces and hyphens, and not default",
}
_RDS_RETENTION = {"min": 1, "max": 35}
_RDS_PORT = {"min": 1150, "max": 65535}
_RDS_MONITORING = {"allowed": [0, 1, 5, 10, 15, 30, 60]}
_RDS_INSIGHTS = {"allowed": [7, *range(31, 714, 31), 731]}
_TIME = r"([01]\d|2[0-3]):[0-5]\d"
_DAY = "(?i:mon|tue|wed|thu|fri|sat|sun)"
_BACKUP_WINDOW = {"pattern": f"{_TIME}-{_TIME}", "advice": "hh24:mi-hh24:mi in UTC, such as 03:00-04:00"}
_MAINTENANCE_WINDOW = {
    "pattern": f"{_DAY}:{_TIME}-{_DAY}:{_TIME}",
    "advice": "ddd:hh24:mi-ddd:hh24:mi in UTC, such as sun:04:30-sun:05:30",
}
_SECURITY_GROUP_TEXT = {
    "pattern": r"[0-9A-Za-z_ .:/()#,@\[\]+=&;{}!$*-]*",
    "max": 255,
    "advice": "up to 255 letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*",
}
_SHORT = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180]
_LOG_RETENTION_DAYS = [*_SHORT, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]

SUPPLEMENTS: dict[tuple[str, str], dict[str, Any]] = {
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    ("s3", "CreateBucketRequest.Bucket"): {
        "pattern": r"(?!xn--|sthree-|amzn-s3-demo-)(?!.*\.\.)(?!\d+\.\d+\.\d+\.\d+$)"
        r"[a-z0-9][a-z0-9.-]*[a-z0-9](?<!-s3alias)(?<!--ol-s3)(?<!\.mrap)(?<!--x-s3)(?<!--table-s3)",
        "min": 3,
        "max": 63,
        "advice": "3 to 63 lower-case letters, digits, hyphens and full stops, beginning and ending with a "
        "letter or digit, no reserved prefix or suffix",
    },
    # The "Constraints" of each parameter in the RDS API reference (also in the model's documentation).
    ("rds", "CreateDBClusterMessage.DBClusterIdentifier"): _RDS_IDENTIFIER,
    ("rds", "CreateDBClusterMessage.BackupRetentionPeriod"): _RDS_RETENTION,
    ("rds", "CreateDBClusterMessage.Port"): _RDS_PORT,
    ("rds", "CreateDBClusterMessage.PreferredBackupWindow"): _BACKUP_WINDOW,
    ("rds", "CreateDBClusterMessage.PreferredMaintenanceWindow"): _MAINTENANCE_WINDOW,
    ("rds", "CreateDBClusterMessage.MonitoringInterval"): _RDS_MONITORING,
    ("rds", "CreateDBClusterMessage.PerformanceInsightsRetentionPeriod"): _RDS_INSIGHTS,
    ("rds", "CreateDBInstanceMessage.DBInstanceIdentifier"): _RDS_IDENTIFIER,
    ("rds", "CreateDBInstanceMessage.MonitoringInterval"): _RDS_MONITORING,
    ("rds", "CreateDBInstanceMessage.PerformanceInsightsRetentionPeriod"): _RDS_INSIGHTS,
    ("rds", "CreateDBInstanceMessage.PreferredMaintenanceWindow"): _MAINTENANCE_WINDOW,
    ("rds", "CreateDBInstanceMessage.PromotionTier"): {"min": 0, "max": 15},
    ("rds", "CreateDBSubnetGroupMessage.DBSubnetGroupName"): _RDS_SUBNET_GROUP,
    ("rds", "CreateDBParameterGroupMessage.DBParameterGroupName"): _RDS_GROUP,
    ("rds", "CreateDBClusterParameterGroupMessage.DBClusterParameterGroupName"): _RDS_GROUP,
    ("rds", "ServerlessV2ScalingConfiguration.MinCapacity"): {"min": 0, "max": 256},
    ("rds", "ServerlessV2ScalingConfiguration.MaxCapacity"): {"min": 1, "max": 256},
    ("rds", "ServerlessV2ScalingConfiguration.SecondsUntilAutoPause"): {"min": 300, "max": 86400},
    # The documentation of CreateSecurityGroup and PutRetentionPolicy in the models.
    ("ec2", "CreateSecurityGroupRequest.GroupName"): _SECURITY_GROUP_TEXT,
    ("ec2", "CreateSecurityGroupRequest.Description"): _SECURITY_GROUP_TEXT,
    ("logs", "PutRetentionPolicyRequest.retentionInDays"): {"allowed": _LOG_RETENTION_DAYS},
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
    ("sqs", "CreateQueueRequest.QueueName"): {
        "pattern": r"(?=.{1,80}$)[A-Za-z0-9_-]+(\.fifo)?",
        "advice": "up to 80 letters, digits, hyphens and underscores, .fifo last for a FIFO queue",
    },
    # https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
    ("sns", "CreateTopicInput.Name"): {
        "pattern": r"(?=.{1,256}$)[A-Za-z0-9_-]+(\.fifo)?",
        "advice": "up to 256 letters, digits, hyphens and underscores, .fifo last for a FIFO topic",
    },
    # https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateNodegroup.html: the model has no pattern.
    ("eks", "CreateNodegroupRequest.nodegroupName"): {
        "pattern": r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}",
        "advice": "up to 63 letters, digits, hyphens and underscores, beginning with a letter or digit",
    },
}
"""Constraints the documentation of AWS states and the model leaves out; `advice` says the pattern in words,
`allowed` lists the numbers taken."""
