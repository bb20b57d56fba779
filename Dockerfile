# Two stages: everything that builds stays in the first; the second has neither compiler nor Node.
# tools/prove-image runs these steps in plain root folders, without a container engine.

FROM debian:bookworm-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements requirements
COPY tools tools
RUN python3 -m venv /opt/callgate \
 && /opt/callgate/bin/pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements/runtime.txt
RUN python3 -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements/build.txt
COPY web web
RUN tools/with-node /opt/build npm --prefix web ci \
 && tools/with-node /opt/build npm --prefix web run build
COPY pyproject.toml README.md ./
COPY gateway gateway
COPY media media
COPY sandbox sandbox
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /tmp/wheel . \
 && /opt/callgate/bin/pip install --no-cache-dir --no-deps /tmp/wheel/callgate-*.whl \
 && /opt/callgate/bin/pip uninstall --yes pip setuptools

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3 tini tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin callgate \
 && install --directory --owner callgate --mode 0700 /data
COPY --from=build /opt/callgate /opt/callgate
ENV PATH=/opt/callgate/bin:/usr/bin:/bin \
    CALLGATE_DATA_DIR=/data \
    CALLGATE_HTTP_HOST=0.0.0.0 \
    CALLGATE_MEDIA_PORT_RANGE=40000-40999
USER 10001
VOLUME /data
EXPOSE 8080/tcp 40000-40999/udp
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["callgate", "health"]
ENTRYPOINT ["tini", "--"]
CMD ["callgate", "serve"]
