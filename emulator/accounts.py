"""People's accounts across restarts: what `--keep` writes of user pools when the world ends, and puts back.

What people own (in the database, which is kept) names them by their `sub`: so they must be the same people again.
A pool of the same name gets back its users when it is created; groups and sessions are not kept.
"""

from typing import Any

import orjson
from moto.cognitoidp.models import (
    CognitoIdpBackend,
    CognitoIdpUser,
    CognitoIdpUserPool,
    UserStatus,
    cognitoidp_backends,
)

from emulator.backing import Backing

_FILE = "users.json"


def install(backing: Backing) -> None:
    """Put back what is there, and write it anew at the end; nothing unless `backing.keep`."""
    if not backing.keep:
        return
    backing.at_stop(lambda: save(backing))
    file = backing.data("cognito") / _FILE
    kept: dict[str, list[dict[str, Any]]] = orjson.loads(file.read_bytes()) if file.exists() else {}
    create = CognitoIdpBackend.create_user_pool

    def create_user_pool(
        self: CognitoIdpBackend, name: str, extended_config: dict[str, Any]
    ) -> CognitoIdpUserPool:
        pool = create(self, name, extended_config)
        for told in kept.get(name, ()):
            user = _user(pool.id, told)
            pool.users[user.username] = user
        return pool

    CognitoIdpBackend.create_user_pool = create_user_pool


def save(backing: Backing) -> None:
    """Write all users, in place of what was kept before. Passwords too: the folder is this user's alone."""
    pools = cognitoidp_backends[backing.account][backing.region].user_pools.values()
    users = {pool.name: [_told(user) for user in pool.users.values()] for pool in pools}
    (backing.data("cognito") / _FILE).write_bytes(orjson.dumps(users))


def _told(user: CognitoIdpUser) -> dict[str, Any]:
    return {
        "id": user.id,
        "username": user.username,
        "password": user.password,
        "status": user.status,
        "enabled": user.enabled,
        "attributes": user.attributes,
    }


def _user(pool: str, told: dict[str, Any]) -> Any:
    status = UserStatus(told["status"])
    user: Any = CognitoIdpUser(pool, told["username"], told["password"], status, told["attributes"])
    user.id, user.enabled = told["id"], told["enabled"]
    user.update_attributes([{"Name": "sub", "Value": user.id}])
    return user
