# Redis that keeps nothing on disk and asks for no password; src/image/companion.rs builds it, and nothing is run.
FROM scratch
ARG TARGETARCH
ADD root-${TARGETARCH}.tar /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER 1000:1000
ENTRYPOINT ["redis-server", "--save", "", "--appendonly", "no", "--protected-mode", "no"]
