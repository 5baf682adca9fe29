# moored in a container of its own, for hosts whose containerd it shares: see docker-compose.yml,
# without whose namespaces and mounts it cannot work.
#
# Any Debian 12 with Python 3.11 may be the base: --build-arg BASE=...
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
COPY . /source
RUN python3 -m venv /opt/moorage \
    && /opt/moorage/bin/pip install --quiet --no-cache-dir '/source[server]' \
    && /opt/moorage/bin/pip uninstall --quiet --yes pip setuptools

FROM ${BASE}
# The runtime that is probed at start is the one in here; the one that runs containers is the host's.
# libnftables publishes ports.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends runc libnftables1 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/moorage /opt/moorage
# Output goes to docker's log as it comes.
ENV PATH=/opt/moorage/bin:$PATH PYTHONUNBUFFERED=1
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["moorage", "ps", "--quiet"]
ENTRYPOINT ["moored"]
