"""User pools and their app clients."""

from typing import Final

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created

_MFA: Final = (
    "mfaConfiguration",
    "softwareTokenMfaConfiguration",
    "smsConfiguration",
    "emailMfaConfiguration",
)
_MINUTES: Final = {"seconds": 1 / 60, "minutes": 1, "hours": 60, "days": 24 * 60}
_VALIDITY: Final = {
    "accessToken": ("hours", 5, 24 * 60),
    "idToken": ("hours", 5, 24 * 60),
    "refreshToken": ("days", 60, 3650 * 24 * 60),
}
"""Default unit, and bounds in minutes. Cognito API reference, CreateUserPoolClient; the model knows numbers only."""


@adapter("aws:cognito/userPool:UserPool")
def user_pool(order: Order) -> Created:
    """A user pool; how people sign in twice over is said in a call of its own."""
    name = order.default_name()
    answer = order.create(
        "cognito-idp",
        "CreateUserPool",
        renames={
            "name": "PoolName",
            "passwordPolicy": "Policies.PasswordPolicy",
            "schemas": "Schema",
            "signInPolicy": "Policies.SignInPolicy",
        },
        omit=_MFA,
        extra={"UserPoolTags": order.tags} if order.tags else {},
        tagged=False,
    )
    pool = answer.response["UserPool"]
    identity = pool["Id"]
    if any(order.inputs.get(key) is not None for key in _MFA):
        order.further(
            "cognito-idp",
            "SetUserPoolMfaConfig",
            *_MFA,
            renames={"smsConfiguration": "SmsMfaConfiguration.SmsConfiguration"},
            UserPoolId=identity,
        )
    return answer.created(
        identity,
        {
            "arn": pool["Arn"],
            "name": name,
            "endpoint": f"cognito-idp.{order.cloud.region}.amazonaws.com/{identity}",
        },
    )


@adapter("aws:cognito/userPoolClient:UserPoolClient")
def user_pool_client(order: Order) -> Created:
    """An app client."""
    name = order.default_name()
    _check_validity(order)
    answer = order.create(
        "cognito-idp",
        "CreateUserPoolClient",
        renames={
            "name": "ClientName",
            "callbackUrls": "CallbackURLs",
            "logoutUrls": "LogoutURLs",
            "defaultRedirectUri": "DefaultRedirectURI",
        },
        tagged=False,
    )
    client = answer.response["UserPoolClient"]
    secret = {"clientSecret": client["ClientSecret"]} if "ClientSecret" in client else {}
    return answer.created(client["ClientId"], {"name": name, **secret})


def _check_validity(order: Order) -> None:
    units = order.inputs.get("tokenValidityUnits") or {}
    for token, (usual, least, most) in _VALIDITY.items():
        value = order.inputs.get(f"{token}Validity")
        unit = units.get(token) or usual
        if value is not None and unit in _MINUTES and not least <= value * _MINUTES[unit] <= most:
            order.refuse(
                f"{token}Validity", value, f"is out of range in {unit}", f"from {least} to {most} minutes"
            )
