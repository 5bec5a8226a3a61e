#!/bin/sh
# Sets up .venv: the locked, hashed dependencies and the `pinwheel` command. `make setup` calls it.
#
# It leaves a stamp only when everything is done, so that a set-up that was interrupted starts over, and one
# that is done costs a few milliseconds. Plain POSIX sh: it runs on Debian and on macOS as they come.
set -eu

cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
venv=.venv
stamp=$venv/.set-up

say() { printf '%s\n' "$*"; }
fail() {
    printf 'error: %s\n  fix: %s\n' "$1" "$2" >&2
    exit 3
}

# What the stamp depends on: the lock, the project file, this script, where we are, and the interpreter.
fingerprint() {
    cksum requirements.lock pyproject.toml scripts/setup.sh
    pwd
    command -v "$python" || true
}

if [ -f "$stamp" ] && [ -x "$venv/bin/pinwheel" ] && [ "$(cat "$stamp")" = "$(fingerprint)" ] &&
    "$venv/bin/python" -S -c '' 2>/dev/null; then
    exit 0
fi

command -v "$python" >/dev/null 2>&1 ||
    fail "there is no $python" "install Python 3.11 or newer, or name one: make setup PYTHON=/path/to/python3"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is $("$python" --version 2>&1), and Pinwheel needs 3.11 or newer" \
        "install a newer one and name it: make setup PYTHON=python3.12"

# Debian ships venv and ensurepip apart from python3.
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "Installing $package, which this Python lacks ..."
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package"; } >/dev/null 2>&1 ||
            fail "apt-get could not install $package" "run \`apt-get install $package\` and see what it says"
    else
        fail "this Python has no venv module" "sudo apt-get install $package"
    fi
fi

# From here on the virtual environment is unfinished, whatever happens.
rm -f "$stamp"
log=$(mktemp "${TMPDIR:-/tmp}/pinwheel-setup.XXXXXX")
trap 'rm -f "$log"' EXIT
trap 'rm -f "$log"; printf "\nStopped; the next \`make setup\` starts over.\n" >&2; exit 130' INT TERM HUP

quietly() { # quietly WHAT-FAILED COMMAND...
    what=$1
    shift
    "$@" >"$log" 2>&1 || {
        grep -v '^WARNING' "$log" | tail -n 15 >&2
        if grep -q 'No space left on device' "$log"; then
            fail "$what" "free some disk space here and in ${TMPDIR:-/tmp} (a gigabyte or two), and run it again"
        fi
        fail "$what" "see above; without a network, point pip at a local index (PIP_INDEX_URL, PIP_FIND_LINKS)"
    }
}

# One of another Python, one that was moved here, or one whose creation was interrupted is made anew.
wanted=$("$python" -c 'import sys; print(sys.version_info[:2])')
if ! grep -q "$(pwd)/$venv" "$venv/bin/activate" 2>/dev/null ||
    [ "$("$venv/bin/python" -c 'import sys; print(sys.version_info[:2])' 2>/dev/null)" != "$wanted" ] ||
    ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    say "Creating $venv ..."
    quietly "$python could not create $venv" "$python" -m venv --clear "$venv"
fi

say "Installing $(grep -c '^[A-Za-z0-9].*==' requirements.lock) locked packages into $venv (a minute or so) ..."
quietly "the locked packages could not be installed" \
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps \
    --require-hashes -r requirements.lock
quietly "pinwheel itself could not be installed" \
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps \
    --no-build-isolation --editable .

# Compiles just the modules that a rehearsal imports (all of pulumi_aws would take minutes), also where Python
# is told not to. Whether the rehearsal passes is not set-up's business.
say "Compiling what a rehearsal uses ..."
env -u PYTHONDONTWRITEBYTECODE "$venv/bin/python" -m pinwheel rehearse local >/dev/null 2>&1 || true

fingerprint >"$stamp.new"
mv "$stamp.new" "$stamp"
say "Set up: $venv/bin/pinwheel"
