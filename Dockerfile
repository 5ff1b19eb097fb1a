# The image of the service in `service/`. The same commit gives the same content on every machine, with every BuildKit.
# docs/reproducible.md has the rules, and `cargo xtask check` checks this file against them. docs/services.md has
# Dockerfiles for services of other shapes.
# `--platform=$BUILDPLATFORM`: these stages run natively on the building machine; nothing runs on the target platforms.
FROM --platform=$BUILDPLATFORM node:22-slim@sha256:83f487e0a63425e5b4d146fb5e5be574bcbe1b7b843d3ebafdd95eaf7767a7e5 AS dependencies
ARG TARGETARCH
WORKDIR /out/app
COPY service/package.json service/package-lock.json service/.npmrc ./
# The secret is set only behind a proxy that has its own certificate authority; it is in no layer.
# npm installs packages for the image's platform, not for the building machine. If no package differs between platforms,
# the layers of all platforms have the same digest.
# npm gives this date to every file that it packs. As long as the lockfile stays the same, this layer does too.
RUN --mount=type=secret,id=ca --mount=type=cache,target=/root/.npm \
    if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi && \
    case $TARGETARCH in amd64) cpu=x64 ;; 386) cpu=ia32 ;; ppc64le) cpu=ppc64 ;; *) cpu=$TARGETARCH ;; esac && \
    npm ci --omit=dev --ignore-scripts --os=linux --cpu="$cpu" --libc=glibc --no-audit --no-fund --no-update-notifier && \
    rm -f package.json package-lock.json .npmrc node_modules/.package-lock.json && \
    find /out -exec touch --no-dereference --date=@499162500 {} +

FROM --platform=$BUILDPLATFORM node:22-slim@sha256:83f487e0a63425e5b4d146fb5e5be574bcbe1b7b843d3ebafdd95eaf7767a7e5 AS service
WORKDIR /out/app
COPY service/package.json service/package-lock.json ./
COPY service/src ./src
ARG VERSION REVISION SOURCE SOURCE_DATE_EPOCH
RUN --network=none printf '{"version":"%s","commit":"%s","source":"%s"}\n' "$VERSION" "$REVISION" "$SOURCE" > build.json && \
    find /out -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

FROM node:22-slim@sha256:83f487e0a63425e5b4d146fb5e5be574bcbe1b7b843d3ebafdd95eaf7767a7e5
COPY --link --from=dependencies /out/ /
COPY --link --from=service /out/ /
ENV NODE_ENV=production
USER 1000:1000
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "/app/src/server.js"]
