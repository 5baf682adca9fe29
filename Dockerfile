# moored in a container of its own, for hosts whose containerd it shares: see docker-compose.yml,
# without whose namespaces and mounts it cannot work.
FROM python:3.11-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN pip install --no-cache-dir --prefix /opt/moorage '.[server]'

FROM python:3.11-slim-bookworm
# The runtime that is probed at start is the one in here; the one that runs containers is the host's.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends runc \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/moorage /usr/local
# Output goes to docker's log as it comes.
ENV PYTHONUNBUFFERED=1
ENTRYPOINT ["moored"]
