"""`python -m services.search root|leaf|index`: the roles of the search service."""

import sys
from typing import Final, NoReturn

from services.common import lifetime
from services.common.settings import EXIT_CONFIGURATION, load

_ROLES: Final = {
    "root": "the REST API before all shards",
    "leaf": "one shard: indexes from Kafka, answers the root",
    "index": "writes from Kafka to OpenSearch, where that is the backend",
}


def main() -> NoReturn:
    """Run the role that the first argument names, until SIGTERM."""
    role = sys.argv[1] if len(sys.argv) == 2 else ""  # noqa: PLR2004 - the program and the role
    # Each role imports only what it needs: a root has no use for faiss.
    if role == "root":
        from services.search import root  # noqa: PLC0415
        from services.search.settings import RootSettings  # noqa: PLC0415

        lifetime.run(load(RootSettings), root.start)
    if role == "leaf":
        from services.search import leaf  # noqa: PLC0415
        from services.search.settings import LeafSettings  # noqa: PLC0415

        lifetime.run(load(LeafSettings), leaf.start)
    if role == "index":
        from services.search.opensearch import indexer  # noqa: PLC0415

        indexer.run()
    roles = "\n".join(f"  {name}: {what}" for name, what in _ROLES.items())
    print(f"usage: python -m services.search ROLE\n{roles}", file=sys.stderr)  # noqa: T201
    sys.exit(EXIT_CONFIGURATION)


if __name__ == "__main__":
    main()
