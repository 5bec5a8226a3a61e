"""Hosted zones and their records."""

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created

_DEFAULT_COMMENT = "Managed by Pulumi"
_RECORD = "ChangeBatch.Changes.ResourceRecordSet"


@adapter("aws:route53/zone:Zone")
def zone(order: Order) -> Created:
    """A zone: private to the VPCs it names, public without."""
    order.inputs = {"comment": _DEFAULT_COMMENT, **order.inputs}
    vpcs = order.inputs.get("vpcs") or []
    answer = order.create(
        "route53",
        "CreateHostedZone",
        renames={"comment": "HostedZoneConfig.Comment"},
        omit=("vpcs", "forceDestroy"),  # forceDestroy concerns deletion only
        extra={"CallerReference": order.digits(32), **({"VPC": _vpc(order, vpcs[0])} if vpcs else {})},
        tagged=False,
    )
    identity = answer.response["HostedZone"]["Id"].rsplit("/", 1)[-1]
    for vpc in vpcs[1:]:
        order.call("route53", "AssociateVPCWithHostedZone", HostedZoneId=identity, VPC=_vpc(order, vpc))
    if order.tags:
        order.call(
            "route53",
            "ChangeTagsForResource",
            ResourceType="hostedzone",
            ResourceId=identity,
            AddTags=order.tag_list,
        )
    servers = (answer.response.get("DelegationSet") or {}).get("NameServers") or []
    return answer.created(
        identity,
        {
            "arn": f"arn:aws:route53:::hostedzone/{identity}",
            "zoneId": identity,
            "nameServers": servers,
            "primaryNameServer": servers[0] if servers else "",
        },
    )


def _vpc(order: Order, given: dict[str, str]) -> dict[str, str]:
    return {"VPCId": given.get("vpcId", ""), "VPCRegion": given.get("vpcRegion") or order.cloud.region}


@adapter("aws:route53/record:Record")
def record(order: Order) -> Created:
    """The records of one name and type."""
    inputs = order.inputs
    name, zone_id = str(inputs.get("name")), inputs.get("zoneId")
    routing = {
        "weightedRoutingPolicies": "Weight", "latencyRoutingPolicies": "Region",
        "failoverRoutingPolicies": "Failover",
    }  # fmt: skip
    given = {
        f"{_RECORD}.{member}": next(iter(inputs[key][0].values()))
        for key, member in routing.items()
        if inputs.get(key)
    }
    records = [{"Value": _quoted(each, inputs.get("type"))} for each in inputs.get("records") or ()]
    answer = order.create(
        "route53",
        "ChangeResourceRecordSets",
        renames={
            "zoneId": "HostedZoneId",
            "name": f"{_RECORD}.Name",
            "type": f"{_RECORD}.Type",
            "ttl": f"{_RECORD}.TTL",
            "aliases": f"{_RECORD}.AliasTarget",
            "aliases.name": "DNSName",
            "aliases.zoneId": "HostedZoneId",
            "setIdentifier": f"{_RECORD}.SetIdentifier",
            "healthCheckId": f"{_RECORD}.HealthCheckId",
            "multivalueAnswerRoutingPolicy": f"{_RECORD}.MultiValueAnswer",
            "geolocationRoutingPolicies": f"{_RECORD}.GeoLocation",
            "geolocationRoutingPolicies.continent": "ContinentCode",
            "geolocationRoutingPolicies.country": "CountryCode",
            "geolocationRoutingPolicies.subdivision": "SubdivisionCode",
        },
        omit=("records", "allowOverwrite", *routing),
        extra={
            "ChangeBatch.Changes.Action": "UPSERT" if inputs.get("allowOverwrite") else "CREATE",
            **({f"{_RECORD}.ResourceRecords": records} if records else {}),
            **given,
        },
        tagged=False,
    )
    parts = [str(zone_id), name, str(inputs.get("type")), str(inputs.get("setIdentifier") or "")]
    return answer.created("_".join(part for part in parts if part), {"fqdn": name.rstrip(".")})


def _quoted(value: str, kind: str | None) -> str:
    """Text records stand in quotation marks; the provider adds them."""
    return f'"{value}"' if kind in ("TXT", "SPF") and not value.startswith('"') else value
