"""What people see of objects: the `Table` that the API server answers `kubectl get` with."""

from emulator.cluster.api.tables.table import table as table
