"""Cognito user pools: moto's, with what a program would otherwise learn only from AWS.

moto signs real RS256 tokens and serves their public keys at `/<pool>/.well-known/jwks.json`. It forgets which
flows a client allows, how long its tokens are valid and that a pool is protected, tells who has an account, and
lets everybody in by SRP. Those things are here.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from moto.cognitoidp.exceptions import InvalidParameterException, NotAuthorizedError, UserNotFoundError
from moto.cognitoidp.models import CognitoIdpBackend, CognitoIdpUserPool, cognitoidp_backends
from moto.cognitoidp.responses import CognitoIdpResponse
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult

from emulator.errors import NOT_IMPLEMENTED
from emulator.srp import Exchange, padded

_SECONDS: Final = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
_DEFAULT_FLOWS: Final = ("ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_CUSTOM_AUTH")
"""Of a client that states none. Cognito API reference, CreateUserPoolClient."""
_SAME_AS: Final = {"ADMIN_NO_SRP_AUTH": "ADMIN_USER_PASSWORD_AUTH", "REFRESH_TOKEN": "REFRESH_TOKEN_AUTH"}
_OLD_NAMES: Final = {"ADMIN_USER_PASSWORD_AUTH": "ADMIN_NO_SRP_AUTH", "CUSTOM_AUTH": "CUSTOM_AUTH_FLOW_ONLY"}
_WRONG: Final = "Incorrect username or password."
_begun: dict[str, Exchange] = {}
"""Sign-ins by SRP that wait for the client's proof, by their secret block."""


class EmulatedCognitoResponse(CognitoIdpResponse):
    """Cognito's operations, as strict as AWS's where moto's are not."""

    def delete_user_pool(self) -> ActionResult:
        """Refuses a pool that is protected."""
        pool = self.backend.describe_user_pool(self._get_param("UserPoolId"))
        if pool.extended_config.get("DeletionProtection") == "ACTIVE":
            raise InvalidParameterException(
                "The user pool cannot be deleted because deletion protection is activated. Deletion protection "
                "must be inactivated first."
            )
        return super().delete_user_pool()

    def admin_initiate_auth(self) -> ActionResult:
        """Only by a flow that the client allows."""
        self._check_flow()
        return self._discreetly(super().admin_initiate_auth)

    def initiate_auth(self) -> ActionResult:
        """Only by a flow that the client allows."""
        backend, pool = self._check_flow()
        answer = self._discreetly(super().initiate_auth)
        if self._get_param("AuthFlow") == "USER_SRP_AUTH":
            self._begin_srp(backend, pool, answer)
        return answer

    def respond_to_auth_challenge(self) -> ActionResult:
        """SRP's proof is verified."""
        if self._get_param("ChallengeName") == "PASSWORD_VERIFIER":
            given = self._get_param("ChallengeResponses") or {}
            exchange = _begun.pop(given.get("PASSWORD_CLAIM_SECRET_BLOCK", ""), None)
            signature, timestamp = given.get("PASSWORD_CLAIM_SIGNATURE", ""), given.get("TIMESTAMP", "")
            if exchange is None or not exchange.proves(signature, timestamp):
                raise NotAuthorizedError(_WRONG)
        return super().respond_to_auth_challenge()

    def _begin_srp(self, backend: CognitoIdpBackend, pool: CognitoIdpUserPool, answer: ActionResult) -> None:
        """Put SRP's numbers into moto's answer, which has random ones."""
        result: Any = answer.result
        parameters = result["ChallengeParameters"]
        user = backend.admin_get_user(pool.id, parameters["USERNAME"])
        public = (self._get_param("AuthParameters") or {}).get("SRP_A", "")
        try:
            exchange = Exchange.begun(
                pool.id.partition("_")[2], parameters["USER_ID_FOR_SRP"], user.password or "", public
            )
        except ValueError as error:
            raise InvalidParameterException(f"SRP_A is not a number of the group: {error}") from error
        _begun[exchange.block] = exchange
        # moto knows the sign-in by its session; from now on by the block that the client sends back.
        backend.sessions[exchange.block] = backend.sessions.pop(parameters["SECRET_BLOCK"])
        parameters |= {
            "SALT": padded(exchange.salt),
            "SRP_B": padded(exchange.public),
            "SECRET_BLOCK": exchange.block,
        }

    def _check_flow(self) -> tuple[CognitoIdpBackend, CognitoIdpUserPool]:
        backend, pool = self._pool()
        config: dict[str, Any] = pool.clients[self._get_param("ClientId")].extended_config
        flow = self._get_param("AuthFlow") or ""
        name = _SAME_AS.get(flow, flow)
        allowed = config.get("ExplicitAuthFlows") or _DEFAULT_FLOWS
        if not {name, f"ALLOW_{name}", _OLD_NAMES.get(name)} & set(allowed):
            raise InvalidParameterException(f"{name} flow not enabled for this client")
        if name == "CUSTOM_AUTH":
            raise JsonRESTError(NOT_IMPLEMENTED, "the emulator has no custom authentication challenges")
        return backend, pool

    def _pool(self) -> tuple[CognitoIdpBackend, CognitoIdpUserPool]:
        """The pool that has the request's client. Requests of people are not signed, and name no region."""
        client_id = self._get_param("ClientId")
        for backend in cognitoidp_backends[self.current_account].values():
            for pool in backend.user_pools.values():
                if client_id in pool.clients:
                    return backend, pool
        raise JsonRESTError("ResourceNotFoundException", f"User pool client {client_id} does not exist.")

    def _discreetly(self, answer: Callable[[], ActionResult]) -> ActionResult:
        """Nobody learns who has an account: in all clients, as AWS advises and has it by default."""
        try:
            return answer()
        except UserNotFoundError as error:
            raise NotAuthorizedError(_WRONG) from error
        except NotAuthorizedError as error:
            if "disabled" in json.dumps(error.message) or "Token" in error.message:
                raise
            raise NotAuthorizedError(_WRONG) from error


_create_jwt = CognitoIdpUserPool.create_jwt


def _valid_as_the_client_says(  # noqa: PLR0917 - as moto calls it
    self: CognitoIdpUserPool,
    client_id: str,
    username: str,
    token_use: str,
    expires_in: int = 0,
    extra_data: dict[str, Any] | None = None,
) -> tuple[str, int]:
    """A token whose validity is the client's setting; an hour without one."""
    config: dict[str, Any] = self.clients[client_id].extended_config
    kind = "AccessToken" if token_use == "access" else "IdToken"  # noqa: S105 - kinds of tokens
    unit = (config.get("TokenValidityUnits") or {}).get(kind) or "hours"
    seconds = int(config.get(f"{kind}Validity") or 0) * _SECONDS[unit]
    return _create_jwt(
        self, client_id, username, token_use, expires_in or seconds or _SECONDS["hours"], extra_data
    )


CognitoIdpUserPool.create_jwt = _valid_as_the_client_says  # pyright: ignore[reportAttributeAccessIssue] - the same signature
