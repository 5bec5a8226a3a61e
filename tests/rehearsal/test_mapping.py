"""Inputs become a request, and a path of the request leads back to the property."""

from rehearsal.mapping import camel, mapped


def test_words_of_another_case_need_no_rename():
    request = mapped(
        "eks",
        "CreateNodegroup",
        {"clusterName": "c", "scalingConfig": {"minSize": 1, "maxSize": 3}, "instanceTypes": ["g5.xlarge"]},
        renames={"nodeGroupName": "nodegroupName"},
    )

    assert request.request == {
        "clusterName": "c",
        "scalingConfig": {"minSize": 1, "maxSize": 3},
        "instanceTypes": ["g5.xlarge"],
    }
    assert request.unused == []


def test_paths_lead_back_to_the_property():
    request = mapped(
        "ec2",
        "AuthorizeSecurityGroupIngress",
        {"cidrIpv4": "10.0.0.0/8", "fromPort": 443},
        renames={"cidrIpv4": "IpPermissions.IpRanges.CidrIp", "fromPort": "IpPermissions.FromPort"},
    )

    assert request.request == {"IpPermissions": [{"IpRanges": [{"CidrIp": "10.0.0.0/8"}], "FromPort": 443}]}
    assert request.property_of("IpPermissions[0].IpRanges[0].CidrIp") == "cidrIpv4"


def test_a_path_below_a_property_leads_to_the_same_place_below_it():
    request = mapped("eks", "CreateNodegroup", {"taints": [{"key": "a"}, {"key": "b"}]})

    assert request.property_of("taints[1].effect") == "taints[1].effect"
    assert request.property_of("scalingConfig.maxSize") == "scalingConfig.maxSize"


def test_a_missing_member_is_named_as_in_pulumi():
    renames = {"name": "RoleName", "assumeRolePolicy": "AssumeRolePolicyDocument"}
    request = mapped("iam", "CreateRole", {"name": "r"}, renames=renames)

    assert request.property_of("AssumeRolePolicyDocument") == "assumeRolePolicy"


def test_a_nested_property_can_go_deeper():
    request = mapped(
        "kafka",
        "CreateCluster",
        {"clientAuthentication": {"sasl": {"iam": True}}},
        renames={"clientAuthentication.sasl.iam": "Iam.Enabled"},
    )

    assert request.request == {"ClientAuthentication": {"Sasl": {"Iam": {"Enabled": True}}}}
    assert request.property_of("ClientAuthentication.Sasl.Iam.Enabled") == "clientAuthentication.sasl.iam"


def test_a_bare_rename_leaves_nested_properties_alone_that_have_no_such_member():
    request = mapped(
        "backup",
        "CreateBackupPlan",
        {"name": "daily", "advancedBackupSettings": [{"resourceType": "EC2"}]},
        within="BackupPlan",
        renames={"name": "BackupPlanName", "resourceType": "Nonsense"},
    )

    assert request.request["BackupPlan"] == {
        "BackupPlanName": "daily",
        "AdvancedBackupSettings": [{"ResourceType": "EC2"}],
    }


def test_what_finds_no_place_is_told_at_any_depth():
    request = mapped("eks", "CreateNodegroup", {"colour": "red", "scalingConfig": {"mood": 1, "minSize": 1}})

    assert sorted(request.unused) == ["colour", "scalingConfig.mood"]


def test_omitted_properties_are_neither_sent_nor_told():
    request = mapped(
        "eks",
        "CreateNodegroup",
        {"forceUpdateVersion": True, "scalingConfig": {"mood": 1}},
        omit=("forceUpdateVersion", "scalingConfig.mood"),
    )

    assert request.request == {"scalingConfig": {}}
    assert request.unused == []


def test_tags_take_the_form_of_the_operation():
    tags = {"owner": "platform"}

    as_map = mapped("eks", "CreateCluster", {}, tags=tags)
    as_list = mapped("kms", "CreateKey", {}, tags=tags)

    assert as_map.request == {"tags": tags}
    assert as_list.request == {"Tags": [{"TagKey": "owner", "TagValue": "platform"}]}
    assert as_list.property_of("Tags[0].TagValue") == "tags.owner"


def test_tags_of_nested_objects_are_properties_like_others():
    request = mapped("ec2", "CreateVpc", {"tagSpecifications": [{"resourceType": "vpc", "tags": []}]})

    assert request.request == {"TagSpecifications": [{"ResourceType": "vpc"}]}


def test_values_take_the_type_of_the_member():
    metadata = {"httpPutResponseHopLimit": "2"}
    block = {"ebs": {"encrypted": "true", "volumeSize": 20}}
    request = mapped(
        "ec2",
        "CreateLaunchTemplate",
        {"metadataOptions": metadata, "blockDeviceMappings": [block]},
        within="LaunchTemplateData",
    )

    data = request.request["LaunchTemplateData"]
    assert data["MetadataOptions"] == {"HttpPutResponseHopLimit": 2}
    assert data["BlockDeviceMappings"] == [{"Ebs": {"Encrypted": True, "VolumeSize": 20}}]


def test_a_wrong_type_is_left_for_the_check_to_refuse():
    request = mapped("eks", "CreateNodegroup", {"diskSize": "large", "scalingConfig": "big"})

    assert request.request == {"diskSize": "large", "scalingConfig": "big"}


def test_empty_lists_and_nulls_are_not_sent():
    request = mapped("ec2", "CreateVpcEndpoint", {"subnetIds": [], "vpcId": None, "serviceName": "s3"})

    assert request.request == {"ServiceName": "s3"}


def test_a_policy_may_be_an_object():
    request = mapped("s3", "PutBucketPolicy", {"bucket": "b", "policy": {"Statement": []}})

    assert request.request["Policy"] == '{"Statement": []}'


def test_responses_take_pulumis_case():
    assert camel({"VpcId": "v", "Tags": [{"Key": "a"}]}) == {"vpcId": "v", "tags": [{"key": "a"}]}
