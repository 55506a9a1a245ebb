#!/usr/bin/env bash
# Creates the keys that docker-compose.yml mounts, once: the worker's signing key, the receiver's key file,
# one API key with every role, and the payload keys.
set -euo pipefail
cd "$(dirname "$0")"
admin=../.venv/bin/signalbox-admin
[ -x "$admin" ] || { echo "run make setup first: $admin is missing" >&2; exit 2; }
[ ! -e secrets/receiver-keys.json ] || { echo "compose/secrets exists already; nothing to do"; exit 0; }
mkdir -p secrets && chmod 700 secrets
"$admin" keys new --kind sender \
  --file secrets/receiver-keys.json --private secrets/worker.pem \
  --keyid worker --sender worker --tenant '*' --events '*'
"$admin" keys new --kind api \
  --file secrets/api-keys.json --tenant demo --roles viewer,operator,approver,admin,deployment_operator \
  --name admin
"$admin" payload-keys new --file secrets/payload-keys.json
# The containers run as another user than yours; the folder itself stays closed.
chmod 644 secrets/receiver-keys.json secrets/api-keys.json secrets/worker.pem secrets/payload-keys.json
