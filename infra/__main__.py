"""Where Pulumi enters: the stack's name says which environment and which layer."""

import os

import pulumi

from infra import environment_file, program


def main() -> None:
    """Runs the selected stack's layer."""
    try:
        name, layer = program.of_stack(pulumi.get_stack())
        environment = environment_file.load(name)
    except (ValueError, environment_file.InvalidEnvironment) as error:
        raise pulumi.RunError(str(error)) from None
    if os.environ.get(program.UNPROTECT_VARIABLE) == name:
        environment = environment.model_copy(update={"protect": False})
    program.run(environment, layer)


main()
