"""Questions about users: who am I, may I, whose token is this. They are answered and not stored.

Nothing is forbidden to whoever is known (see `authentication`), and the answers say so.
"""

from collections.abc import Callable
from typing import Any, Final

from emulator.cluster.api.authentication import Authentication, User
from emulator.cluster.api.negotiation import part
from emulator.cluster.status import bad_request
from emulator.cluster.store import Object

_AUTHENTICATION: Final = "authentication.k8s.io"
_AUTHORIZATION: Final = "authorization.k8s.io"
REVIEWS: Final = {
    (_AUTHENTICATION, "v1", "selfsubjectreviews"): "SelfSubjectReview",
    (_AUTHENTICATION, "v1", "tokenreviews"): "TokenReview",
    (_AUTHORIZATION, "v1", "selfsubjectaccessreviews"): "SelfSubjectAccessReview",
    (_AUTHORIZATION, "v1", "selfsubjectrulesreviews"): "SelfSubjectRulesReview",
    (_AUTHORIZATION, "v1", "subjectaccessreviews"): "SubjectAccessReview",
}
"""Kind by group, version and plural."""
_REASON: Final = "the emulated cluster enforces no RBAC: whoever it knows may do everything"
_Review = Callable[[User, Object, Authentication], Object]


def review(kind: str, given: Object, user: User, authentication: Authentication) -> Object:
    """The answer to a question of a kind. Raises ApiError 400 for an object of another kind."""
    if given.get("kind", kind) != kind:
        raise bad_request(f"{given['kind']} cannot be handled as a {kind}")
    group = next(group for (group, _, _), name in REVIEWS.items() if name == kind)
    spec = part(given, "spec")
    status = _ANSWERS[kind](user, spec, authentication)
    return {
        "kind": kind,
        "apiVersion": f"{group}/v1",
        "metadata": given.get("metadata") or {},
        **({"spec": spec} if kind != "SelfSubjectReview" else {}),
        "status": status,
    }


def _who_am_i(user: User, _: Object, __: Authentication) -> Object:
    return {"userInfo": user.info()}


def _whose_token(_: User, spec: Object, authentication: Authentication) -> Object:
    found = authentication.of_token(str(spec.get("token", "")))
    if found is None:
        return {"authenticated": False, "user": {}, "error": "the token is not known to the emulated cluster"}
    return {"authenticated": True, "user": found.info(), "audiences": spec.get("audiences") or []}


def _may_i(_: User, __: Object, ___: Authentication) -> Object:
    return {"allowed": True, "reason": _REASON}


def _what_may_i(_: User, __: Object, ___: Authentication) -> Object:
    every: dict[str, Any] = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    return {
        "resourceRules": [every],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        "incomplete": False,
    }


_ANSWERS: Final[dict[str, _Review]] = {
    "SelfSubjectReview": _who_am_i,
    "TokenReview": _whose_token,
    "SelfSubjectAccessReview": _may_i,
    "SelfSubjectRulesReview": _what_may_i,
    "SubjectAccessReview": _may_i,
}
