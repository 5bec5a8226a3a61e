"""Rehearses an environment in an emulator of its own: for tests of the whole, and to renew the golden files."""

from emulator.process import Emulator
from infra import environment_file
from rehearsal.cloud import Cloud
from rehearsal.rehearse import Rehearsal, rehearse


def rehearse_anew(name: str) -> Rehearsal:
    """All layers of the environment `name`."""
    environment = environment_file.load(name)
    with Emulator(environment.account, environment.region) as emulator:
        return rehearse(environment, Cloud(emulator.endpoint, environment.account, environment.region))
