#!/bin/sh
# Makes .cache/venv with the Python peers that tests talk to. Quick when nothing changed.
set -eu
cd "$(dirname "$0")/../.."
venv=.cache/venv
stamp=$venv/requirements.installed

if cmp -s tests/setup/requirements.txt "$stamp"; then
    exit 0
fi
python3 -m venv "$venv"
"$venv/bin/python3" -m pip install --quiet --disable-pip-version-check -r tests/setup/requirements.txt
cp tests/setup/requirements.txt "$stamp"
