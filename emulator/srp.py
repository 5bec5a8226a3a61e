"""Secure Remote Password as Cognito user pools speak it: who signs in proves to know a password, and sends none.

The protocol is RFC 5054's with the 3072-bit group of RFC 3526, SHA-256, numbers in padded hexadecimal, and a key
derived by HKDF, whose information is "Caldera Derived Key". Source: amazon-cognito-identity-js,
AuthenticationHelper.js.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

_PRIME: Final = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7"
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C"
    "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    16,
)
_GENERATOR: Final = 2
_INFORMATION: Final = b"Caldera Derived Key\x01"
_KEY_BYTES: Final = 16


def padded(number: int) -> str:
    """Hexadecimal of an even length whose first bit is 0, as Java's BigInteger writes it."""
    text = f"{number:x}"
    text = text if len(text) % 2 == 0 else f"0{text}"
    return f"00{text}" if text[0] in "89abcdef" else text


def hashed(text: str) -> int:
    """Of bytes in hexadecimal."""
    return int(hashlib.sha256(bytes.fromhex(text)).hexdigest(), 16)


_MULTIPLIER: Final = hashed(padded(_PRIME) + padded(_GENERATOR))


@dataclass(frozen=True)
class Exchange:
    """The server's half of one sign-in. `pool` is the pool's identifier after its underscore."""

    pool: str
    user: str
    password: str
    client_public: int
    salt: int
    secret: int
    block: str
    """What the client sends back to say which sign-in it goes on with; base64."""

    @classmethod
    def begun(cls, pool: str, user: str, password: str, client_public: str) -> "Exchange":
        """From the client's SRP_A. Raises ValueError for a value with which any password would do."""
        number = int(client_public, 16)
        if number % _PRIME == 0:
            raise ValueError("SRP_A is a multiple of the group's prime")
        block = base64.b64encode(secrets.token_bytes(64)).decode()
        return cls(pool, user, password, number, secrets.randbits(128), secrets.randbits(256), block)

    @property
    def public(self) -> int:
        """SRP_B."""
        return (_MULTIPLIER * self._verifier + pow(_GENERATOR, self.secret, _PRIME)) % _PRIME

    def proves(self, signature: str, timestamp: str) -> bool:
        """Whether the client's signature shows that it knows the password."""
        message = f"{self.pool}{self.user}".encode() + base64.b64decode(self.block) + timestamp.encode()
        expected = hmac.digest(self._key, message, "sha256")
        return hmac.compare_digest(base64.b64encode(expected).decode(), signature)

    @property
    def _verifier(self) -> int:
        inner = hashlib.sha256(f"{self.pool}{self.user}:{self.password}".encode()).hexdigest()
        return pow(_GENERATOR, hashed(padded(self.salt) + inner), _PRIME)

    @property
    def _key(self) -> bytes:
        scrambler = hashed(padded(self.client_public) + padded(self.public))
        shared = pow(self.client_public * pow(self._verifier, scrambler, _PRIME), self.secret, _PRIME)
        derived = hmac.digest(bytes.fromhex(padded(scrambler)), bytes.fromhex(padded(shared)), "sha256")
        return hmac.digest(derived, _INFORMATION, "sha256")[:_KEY_BYTES]
