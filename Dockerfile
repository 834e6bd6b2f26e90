# The image of the controller, of the chart's test, and of the command line:
#   docker build -t registry.example.com/domicile:0.1.0 .
# Every dependency is pinned by Cargo.lock, both bases by version. To pin those by content too, give their digests:
#   docker build --build-arg BUILD=rust:1.95.0-slim-trixie@sha256:… --build-arg BASE=gcr.io/distroless/cc-debian13:nonroot@sha256:… .
ARG BUILD=rust:1.95.0-slim-trixie
# The C library, libgcc, the certificates of public authorities and a user that is not root: all that the binary needs, and
# neither a shell nor a package manager. Of the same Debian as the build, so that the C library is the same.
ARG BASE=gcr.io/distroless/cc-debian13:nonroot

FROM ${BUILD} AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
# cargo wants every target that Cargo.toml names to be there.
COPY benches benches
COPY tests tests
COPY src src
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release --bin domicile \
    && install -s -m 0755 target/release/domicile /domicile

FROM ${BASE}
COPY --from=build /domicile /usr/local/bin/domicile
# By number, so that Kubernetes can tell that it is not root.
USER 65532:65532
EXPOSE 8443 8080
ENTRYPOINT ["/usr/local/bin/domicile"]
