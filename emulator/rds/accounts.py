"""The SQL that a cluster's server runs before its first client: its accounts, as Aurora MySQL has them."""

import re
from typing import Final

from pymysql.converters import escape_string

from emulator.rds.real import Credential

_MASTER_PRIVILEGES: Final = (
    *("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "RELOAD", "PROCESS", "REFERENCES", "INDEX"),
    *("ALTER", "SHOW DATABASES", "CREATE TEMPORARY TABLES", "LOCK TABLES", "EXECUTE"),
    *("REPLICATION SLAVE", "REPLICATION CLIENT", "CREATE VIEW", "SHOW VIEW", "CREATE ROUTINE"),
    *("ALTER ROUTINE", "CREATE USER", "EVENT", "TRIGGER"),
)
"""All but what needs the machine (FILE, SHUTDOWN, SUPER, ...). Source: Aurora user guide, "Master user account
privileges"."""

# Aurora's own account and procedures. One statement a line: so a start script is read.
_RDS: Final = (
    "CREATE USER IF NOT EXISTS 'rdsadmin'@'localhost' ACCOUNT LOCK",
    "GRANT ALL PRIVILEGES ON *.* TO 'rdsadmin'@'localhost'",
    "CREATE TABLE IF NOT EXISTS mysql.rds_configuration (name VARCHAR(100) PRIMARY KEY, value VARCHAR(100), "
    "description VARCHAR(300) NOT NULL)",
    "INSERT IGNORE INTO mysql.rds_configuration VALUES ('binlog retention hours', NULL, 'binlog retention hours "
    "specifies the duration in hours before binary logs are automatically deleted.')",
    # A server that starts again has forgotten it.
    "SET GLOBAL expire_logs_days = (SELECT COALESCE(CAST(value AS DECIMAL) / 24, 0) FROM mysql.rds_configuration "
    "WHERE name = 'binlog retention hours')",
    "CREATE OR REPLACE DEFINER='rdsadmin'@'localhost' PROCEDURE mysql.rds_set_configuration("
    "IN setting VARCHAR(100), IN hours INT) BEGIN "
    "IF setting <> 'binlog retention hours' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = "
    "'Unknown configuration name: Aurora MySQL has binlog retention hours'; END IF; "
    "IF hours NOT BETWEEN 1 AND 2160 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = "
    "'For binlog retention hours the value must be between 1 and 2160 or be NULL'; END IF; "
    "UPDATE mysql.rds_configuration SET value = hours WHERE name = setting; "
    "SET GLOBAL expire_logs_days = COALESCE(hours / 24, 0); END",
    "CREATE OR REPLACE DEFINER='rdsadmin'@'localhost' PROCEDURE mysql.rds_show_configuration() "
    "SELECT * FROM mysql.rds_configuration",
    "CREATE OR REPLACE DEFINER='rdsadmin'@'localhost' PROCEDURE mysql.rds_kill(IN id BIGINT) KILL id",
    "CREATE OR REPLACE DEFINER='rdsadmin'@'localhost' PROCEDURE mysql.rds_kill_query(IN id BIGINT) KILL QUERY id",
)


def start_script(master: Credential, database: str | None) -> str:
    """What a server runs at each start: the accounts and procedures of RDS, the master user, the first database.

    It may be repeated. Nothing of it reaches the binlog, as on Aurora.
    """
    statements = ["SET sql_log_bin = 0", *_RDS, *_master(master)]
    if database:
        statements.append(f"CREATE DATABASE IF NOT EXISTS {_quoted(database)}")
    return "".join(f"{statement};\n" for statement in statements)


def change_password(user: Credential) -> str:
    """The statement that gives a user another password."""
    return f"ALTER USER {_account(user)} IDENTIFIED BY '{escape_string(user.password)}'"


def _master(master: Credential) -> tuple[str, ...]:
    account = _account(master)
    return (
        f"CREATE USER IF NOT EXISTS {account}",
        change_password(master),
        f"GRANT {', '.join(_MASTER_PRIVILEGES)} ON *.* TO {account} WITH GRANT OPTION",
    )


def _account(user: Credential) -> str:
    return f"'{escape_string(user.username)}'@'%'"


def _quoted(name: str) -> str:
    return f"`{re.sub('`', '``', name)}`"
