# syntax=docker/dockerfile:1
# The image of the controller, of the chart's test, and of the command line: one file, and nothing beside it.
#   docker build -t registry.example.com/domicile:0.1.0 .
# Every dependency is pinned by Cargo.lock, the compiler by its version. To pin that by content too, give its digest:
#   docker build --build-arg BUILD=rust:1.95.0-slim-trixie@sha256:… .
ARG BUILD=rust:1.95.0-slim-trixie

FROM ${BUILD} AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
# cargo wants every target that Cargo.toml names to be there.
COPY benches benches
COPY tests tests
COPY release release
COPY src src
# The same bytes wherever it is built with this compiler: `make reproducible`.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    release/build.sh /domicile

# No shell, no package manager, no library: nothing that could have a hole of its own, and no base that must be pinned.
FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="domicile" \
      org.opencontainers.image.description="Keeps data where the law says it must live: data residency for Kubernetes, judged before anything is placed" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /domicile /usr/local/bin/domicile
# By number, so that Kubernetes can tell that it is not root.
USER 65532:65532
EXPOSE 8443 8080
ENTRYPOINT ["/usr/local/bin/domicile"]
