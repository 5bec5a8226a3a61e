"""Aurora's parameter groups."""

from infra.data.aurora_parameters import AT_REBOOT, CLUSTER_PARAMETERS, INSTANCE_PARAMETERS


def test_no_parameter_is_set_twice():
    names = [name for name, _, _ in (*CLUSTER_PARAMETERS, *INSTANCE_PARAMETERS)]
    assert len(set(names)) == len(names)


def test_change_data_capture_finds_whole_rows_in_the_binlog():
    values = {name: value for name, value, _ in CLUSTER_PARAMETERS}
    assert (values["binlog_format"], values["binlog_row_image"]) == ("ROW", "FULL")
    assert (values["gtid-mode"], values["enforce_gtid_consistency"]) == ("ON", "ON")


def test_the_audit_log_leaves_out_statements_that_carry_passwords():
    values = {name: value for name, value, _ in CLUSTER_PARAMETERS}
    assert set(values["server_audit_events"].split(",")) == {"CONNECT", "QUERY_DDL"}


def test_static_parameters_wait_for_a_reboot():
    methods = {name: method for name, _, method in CLUSTER_PARAMETERS}
    assert {methods[name] for name in ("binlog_format", "gtid-mode", "tls_version")} == {AT_REBOOT}
