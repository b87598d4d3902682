# syntax=docker/dockerfile:1

FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin zapgate && cp target/release/zapgate /zapgate

FROM debian:bookworm-slim AS base
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 zapgate \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin zapgate \
    && install -d -o zapgate -g zapgate -m 0700 /data
COPY --from=build /zapgate /usr/local/bin/zapgate
# HOST=:: also takes IPv4. On an address that others reach, the server starts only with ADMIN_TOKEN, JWT_SECRET or
# JWKS_URL set.
ENV HOST=:: \
    PORT=8080 \
    DATABASE_URL=sqlite:///data/zapgate.db \
    LOG_FORMAT=json
WORKDIR /data
VOLUME /data
EXPOSE 8080
# The server drains on SIGTERM for SHUTDOWN_GRACE_S (10 s): give `docker stop` a little more, as in `-t 15`.
STOPSIGNAL SIGTERM
# The shell's own sockets: no client program has to be in the image.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["/bin/bash", "-c", "exec 3<>/dev/tcp/localhost/$PORT && printf 'GET /health HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]

# For hosts that mount a volume owned by root (Fly.io): takes the folder over, then gives root up for good.
FROM base AS volume-of-root
ENTRYPOINT ["/bin/sh", "-c", "chown zapgate:zapgate /data && exec setpriv --reuid=zapgate --regid=zapgate --clear-groups --no-new-privs zapgate \"$@\"", "zapgate"]
CMD ["serve"]

# The image one usually wants; it never is root.
FROM base AS runtime
USER 10001:10001
ENTRYPOINT ["zapgate"]
CMD ["serve"]
