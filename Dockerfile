# The daemon for all account files in /accounts. Build: docker build -t syncer .
# Run: docker run -d --name syncer -v "$PWD/accounts:/accounts" syncer
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md CHANGELOG.md LICENSE config.example.toml ./
COPY docs ./docs
COPY adapters ./adapters
COPY syncer ./syncer
RUN python -m venv /opt/syncer \
    && /opt/syncer/bin/pip install --no-cache-dir -c constraints.txt ".[alarms,postgresql]"

FROM python:3.12-slim
# Account files, keys and ledgers are this user's alone; with a folder of yours, give it: chown -R 10001 accounts
RUN useradd --system --uid 10001 --home-dir /accounts --shell /usr/sbin/nologin syncer \
    && install -d -o syncer -g syncer -m 0700 /accounts
COPY --from=build /opt/syncer /opt/syncer
ENV PATH=/opt/syncer/bin:$PATH \
    SYNCER_CONFIG=/accounts \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2
USER syncer
WORKDIR /accounts
VOLUME /accounts
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=60s --timeout=20s --start-period=5m --retries=3 CMD ["syncer", "status", "--check"]
ENTRYPOINT ["syncer"]
CMD ["sync"]
