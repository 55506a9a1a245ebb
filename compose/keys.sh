#!/usr/bin/env bash
# Creates the keys that docker-compose.yml mounts, once: the worker's signing key, the receiver's key file,
# one API key with every role, the payload keys, and the key that signs the ledger's checkpoints.
# `compose/keys.sh DIR` creates them in another folder.
set -euo pipefail
admin="$(cd "$(dirname "$0")/.." && pwd)/.venv/bin/signalbox-admin"
secrets="${1:-$(dirname "$0")/secrets}"
[ -x "$admin" ] || { echo "run make setup first: $admin is missing" >&2; exit 2; }
mkdir -p "$secrets" && chmod 700 "$secrets" && cd "$secrets"
if [ ! -e ledger.key ]; then  # a folder of an earlier version lacks only this key
  "$admin" audit new-key --name localhost/ledger --private ledger.key --public ledger.pub
  chmod 644 ledger.key
fi
[ ! -e receiver-keys.json ] || { echo "the other keys exist already"; exit 0; }
"$admin" keys new --kind sender \
  --file receiver-keys.json --private worker.pem \
  --keyid worker --sender worker --tenant '*' --events '*'
"$admin" keys new --kind api \
  --file api-keys.json --tenant demo --roles viewer,operator,approver,admin,deployment_operator --name admin
"$admin" payload-keys new --file payload-keys.json
# The containers run as another user than yours; the folder itself stays closed.
chmod 644 receiver-keys.json api-keys.json worker.pem payload-keys.json
