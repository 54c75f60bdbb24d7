#!/usr/bin/env bash
# Runs Airflow on this machine alone, with its web page: `make airflow`. Ctrl-C ends all of it.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
port=${AIRFLOW_PORT:-8080}
export PATH="$root/.venv-airflow/bin:$PATH"
export AIRFLOW_HOME=${AIRFLOW_HOME:-$root/.squall/airflow}
export AIRFLOW__CORE__DAGS_FOLDER="$root/dags"
export AIRFLOW__CORE__LOAD_EXAMPLES=False
export AIRFLOW__CORE__PARALLELISM=2
export AIRFLOW__CORE__EXECUTION_API_SERVER_URL="http://127.0.0.1:$port/execution/"
export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE="$AIRFLOW_HOME/passwords.json"
export RUN_SQUALL=${RUN_SQUALL:-$root/.venv/bin/squall} RUN_SQUALL_IN=$root
umask 077
mkdir -p "$AIRFLOW_HOME"
airflow db migrate > "$AIRFLOW_HOME/migrate.log" 2>&1 || { cat "$AIRFLOW_HOME/migrate.log" >&2; exit 1; }

# Each part has a process group of its own, so that it ends with all that it started.
set -m
parts=()
start() {
  local log="$AIRFLOW_HOME/$1.log"
  shift
  "$@" > "$log" 2>&1 &
  parts+=("$!")
}
stop() {
  trap '' INT TERM HUP
  trap - EXIT
  for part in "${parts[@]}"; do kill -TERM -- "-$part" 2> /dev/null || true; done
  wait
  echo "stopped Airflow"
  exit "$1"
}
trap 'stop 0' INT TERM HUP
trap 'stop 1' EXIT
start api-server airflow api-server --host 127.0.0.1 --port "$port" --workers 1
start scheduler airflow scheduler --skip-serve-logs
start dag-processor airflow dag-processor
echo "Airflow: http://127.0.0.1:$port (log in as admin; the password is in $AIRFLOW_HOME/passwords.json; logs beside it)"
while :; do
  for part in "${parts[@]}"; do
    kill -0 "$part" 2> /dev/null || { echo "a part of Airflow ended: see the logs in $AIRFLOW_HOME" >&2; exit 1; }
  done
  sleep 1
done
