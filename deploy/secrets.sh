#!/bin/sh
# Makes the passwords and tokens that docker-compose.yml hands to the containers as files; keeps those that are there.
# Usage: deploy/secrets.sh [FOLDER], by default `secrets` beside docker-compose.yml.
set -eu
folder=${1:-$(dirname "$0")/../secrets}
umask 077
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"

# Nobody but you gets into the folder; a container, which sees the file alone and runs as another user, can read it.
keep() {
  [ -e "$1" ] || printf '%s' "$2" > "$1"
  chmod 644 "$1"
}
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

keep postgres_password "$(random)"
for name in squall mlflow airflow; do keep "${name}_password" "$(random)"; done
keep SQUALL_DATABASE__URL "postgresql://squall:$(cat squall_password)@postgres:5432/squall"
keep SQUALL_HTTP__TOKEN "$(random)"
keep SQUALL_DASHBOARD__METRICS_TOKEN "$(random)"
keep SQUALL_NOTIFY__WEBHOOK_URL ""
keep mlflow_database_url "postgresql://mlflow:$(cat mlflow_password)@postgres:5432/mlflow"
keep airflow_database_url "postgresql+psycopg2://airflow:$(cat airflow_password)@postgres:5432/airflow"
keep airflow_secret_key "$(random)"
keep airflow_jwt_secret "$(random)$(random)"
# A Fernet key is 32 bytes in the URL's base64.
keep airflow_fernet_key "$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n')"
keep airflow_users "{\"admin\": \"$(random)\"}"
echo "secrets are in $(pwd)"
