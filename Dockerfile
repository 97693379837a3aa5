# okta-kafka-source as an image: the program, the C library that it is linked to, certificate authorities, and nothing
# else; no shell, no package manager. Runs as user 65532, on a read-only root, with no capability and no volume.
#
#   docker build -t okta-kafka-source --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" .
#   docker run --rm okta-kafka-source demo
#
# Base images are named by tag, so that a rebuild takes up their security updates. To build the same bytes each time, name
# the digests besides, as rust:1.95.0-trixie@sha256:…; `docker buildx imagetools inspect IMAGE` prints them.

# The version is that of rust-toolchain.toml. This image, not its slim one: OpenSSL and librdkafka are compiled here, which
# takes a C compiler, make and perl with its modules.
FROM rust:1.95.0-trixie AS build
WORKDIR /src
ENV CARGO_INCREMENTAL=0

# All dependencies, in a layer that holds until they change: the crate itself is empty here. (The file of a benchmark must
# be there, since Cargo.toml names one without a path.)
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src benches \
    && echo 'fn main() {}' >src/main.rs \
    && touch src/lib.rs benches/encode.rs \
    && cargo build --release --locked

# The program. The sources may be older than the empty crate's build, and Cargo goes by that: hence the touch.
COPY schemas schemas
COPY src src
RUN touch src/lib.rs src/main.rs \
    && cargo build --release --locked \
    && target/release/okta-kafka-source --version
RUN mkdir /etc/okta-kafka-source

# What the program is linked to at run time is libc, libm and libgcc_s; of the files it reads the certificate authorities
# (/etc/ssl/certs) and the resolver's. The tag follows Debian's security updates.
FROM gcr.io/distroless/cc-debian13:nonroot
COPY LICENSE /usr/share/doc/okta-kafka-source/LICENSE
COPY --from=build /src/target/release/okta-kafka-source /usr/local/bin/okta-kafka-source

# Relative paths in the file are relative to this folder. Secrets are mounted below it, at secrets/. (Not every builder makes
# the folder of a WORKDIR.)
COPY --from=build /etc/okta-kafka-source /etc/okta-kafka-source
WORKDIR /etc/okta-kafka-source
ENV OKTA_KAFKA_SOURCE_CONFIG=/etc/okta-kafka-source/config.yaml
USER 65532:65532
# /metrics, /livez and /readyz, where the file says `http: {listen: "0.0.0.0:8083"}`: the default is loopback only.
# No HEALTHCHECK: it would need a program in here that asks /livez (ADR 0054). Orchestrators ask by themselves.
EXPOSE 8083
# Transactions are ended and shards given back; it takes 10 s at most.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/okta-kafka-source"]
CMD ["run"]

# Last, so that they change no other layer. Where your copy of the sources is, and when it was built, are for `docker build
# --label` to say (README.md, "Docker"): registries link by `source`, so an empty one is worse than none.
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="okta-kafka-source" \
      org.opencontainers.image.description="Takes an Okta org's System Log into Apache Kafka, exactly once" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="gcr.io/distroless/cc-debian13:nonroot"
