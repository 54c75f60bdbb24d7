#!/bin/sh
# Runs once, when Postgres makes its data directory: a role and a database each for Squall, MLflow and Airflow.
set -eu
for name in squall mlflow airflow; do
  psql -v ON_ERROR_STOP=1 -v name="$name" -v password="$(cat "${SECRETS:-/run/secrets}/${name}_password")" \
    --username "$POSTGRES_USER" --dbname postgres --quiet <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname squall --quiet --command 'CREATE EXTENSION vector'
