"""The RDS endpoint: moto's, over the emulated backend."""

from moto.rds.responses import RDSResponse

from emulator.rds.backend import install

install()


class EmulatedRdsResponse(RDSResponse):
    """RDS with Aurora as AWS has it."""
