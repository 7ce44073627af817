# What the pods of production run in: the locked packages and nothing else. The code comes with each deployment, in
# Metaflow's code package. `make image` builds it; conf/platform takes its digest.
FROM python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b AS packages
ARG EXTRA=metaflow
COPY requirements/${EXTRA}.txt requirements/build.txt /requirements/
# some packages exist as source only: they are built with the build tools of the lock, not with the newest ones
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes --requirement /requirements/build.txt \
    && /venv/bin/pip install --no-cache-dir --require-hashes --no-deps --no-build-isolation \
       --requirement /requirements/${EXTRA}.txt

FROM python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b
COPY --from=packages /venv /venv
# Metaflow would otherwise install its own needs, unpinned, whenever a pod starts
ENV PATH=/venv/bin:$PATH METAFLOW_SKIP_INSTALL_DEPENDENCIES=1 OMP_WAIT_POLICY=passive PYTHONUNBUFFERED=1
RUN useradd --uid 1000 --create-home lockgate
USER 1000
WORKDIR /home/lockgate
