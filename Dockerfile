# The image of Fanfare: one binary for the controller, the runtime and the command line.
#
#   docker build --tag fanfare:0.1.0 .
#   docker buildx build --platform linux/amd64,linux/arm64 --tag fanfare:0.1.0 .
#
# Nothing is in it but what controller/image/rootfs puts there; it runs as user 65532 on a root that is only read.
ARG RUST=rust:1.95-bookworm
FROM ${RUST} AS build
WORKDIR /source
COPY . .
# `dist`: slower to compile than `release`, faster to run.
RUN cargo build --locked --profile dist --package fanfare && controller/image/rootfs target/dist/fanfare /root-of-image

FROM scratch
COPY --from=build /root-of-image /
USER 65532:65532
ENTRYPOINT ["/fanfare"]
