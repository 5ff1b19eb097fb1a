# A stand-in for node:22-alpine with a real musl; src/image/musl.rs builds it for two platforms, and nothing is run.
FROM scratch
ARG TARGETARCH
ADD root-${TARGETARCH}.tar /
ARG NODE_VERSION
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin NODE_VERSION=${NODE_VERSION}
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["node"]
