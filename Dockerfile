# Drawbridge in a container: one binary, the sample campaigns, and nothing that builds.
#
#   docker build -t drawbridge:0.1.0 .
#   docker run --name drawbridge -p 8091:8091 -v drawbridge:/var/lib/drawbridge drawbridge:0.1.0
#   docker exec drawbridge drawbridge campaign list

FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /source
# The image has the compiler; rust-toolchain.toml would fetch what only the checks need.
ENV RUSTUP_TOOLCHAIN=1.95.0
COPY . .
# Caches live outside the image: a second build compiles only what changed.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --bin drawbridge \
    && cp target/release/drawbridge /drawbridge

FROM debian:12.12-slim
# A user of its own, by number: Kubernetes checks numbers only.
RUN groupadd --gid 10001 drawbridge \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin drawbridge \
    && install -d -o 10001 -g 10001 -m 0750 /var/lib/drawbridge
COPY --from=build /drawbridge /usr/local/bin/drawbridge
COPY deploy/campaigns /usr/local/share/drawbridge/campaigns
COPY deploy/docker/drawbridge.toml /etc/drawbridge/drawbridge.toml
# A file, not variables of single keys: an operator who names another file gets only that one.
ENV DRAWBRIDGE_CONFIG=/etc/drawbridge/drawbridge.toml
USER 10001:10001
WORKDIR /var/lib/drawbridge
# Players, and operations. What is listened on is the configuration's business: the image's own listens for players
# on all addresses, for operations inside only.
EXPOSE 8091 8092
# SIGTERM, which drains, is what Docker sends.
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 CMD ["drawbridge", "health"]
ENTRYPOINT ["drawbridge"]
CMD ["serve"]
