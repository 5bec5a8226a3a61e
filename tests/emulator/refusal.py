"""What tests say about refusals."""

from collections.abc import Generator
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError


@contextmanager
def refused(code: str, *words: str) -> Generator[None]:
    """The call inside is refused with this error code, and the message has all the words."""
    with pytest.raises(ClientError) as error:
        yield
    found = error.value.response["Error"]
    assert found["Code"] == code, found
    assert 400 <= error.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500
    for word in words:
        assert word in found["Message"]
