#!/bin/sh
# Creates or updates the schemas of Temporal's two databases; idempotent.
set -eu
sql() { temporal-sql-tool --plugin postgres12 --ep postgres -p 5432 -u temporal --db "$@"; }
for database in temporal temporal_visibility; do
  sql "$database" create
  sql "$database" setup-schema -v 0.0
  sql "$database" update-schema -d "/etc/temporal/schema/postgresql/v12/${database#temporal_}/versioned"
done
