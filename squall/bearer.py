"""Bearer tokens, by which programs show that they may ask."""

import hmac


def bears(authorization: str, token: str) -> bool:
    """Whether the value of an `Authorization` header bears this token; how long that takes says nothing about the token."""
    scheme, _, given = authorization.partition(" ")
    same = hmac.compare_digest(given.strip().encode(errors="replace"), token.encode())
    return same and scheme.lower() == "bearer"
