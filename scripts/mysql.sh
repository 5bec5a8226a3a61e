#!/bin/sh
# Sees to it that a MariaDB server is on this machine, which `make up` and `make test` put behind Aurora.
#
# On Debian and its kin, as root, it installs the bare program (mariadb-server-core: no service, no
# configuration, nothing is started), and removes no other package for it. Elsewhere it installs nothing: one
# line says what is missing, and services fall back to SQLite. It never fails.
set -eu

PATH=$PATH:/usr/sbin:/usr/local/sbin:/usr/libexec:/opt/homebrew/opt/mariadb/bin
package=mariadb-server-core

have_server() {
    command -v mariadbd >/dev/null 2>&1 || { mysqld --no-defaults --version 2>/dev/null | grep -q MariaDB; }
}

install_package() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --no-remove \
        -o DPkg::Lock::Timeout=60 -o Acquire::Retries=0 -o Acquire::http::Timeout=15 "$package" >/dev/null 2>&1
}

have_server && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    printf 'Installing %s, the database behind Aurora ...\n' "$package"
    # The lists may be missing, or older than what the mirrors still have.
    install_package || { apt-get update -qq -o Acquire::Retries=0 -o Acquire::http::Timeout=15 >/dev/null 2>&1 &&
        install_package; } || true
    have_server && exit 0
    printf 'MySQL: apt-get could not install %s, so services fall back to SQLite; ' "$package" >&2
    printf '`apt-get install --no-remove %s` says why\n' "$package" >&2
    exit 0
fi

printf 'MySQL: there is no mariadbd on this machine, so services fall back to SQLite; to have a real server: ' >&2
printf '`sudo apt-get install %s` (Debian, Ubuntu) or `brew install mariadb` (macOS)\n' "$package" >&2
