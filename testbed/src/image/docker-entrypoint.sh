#!/bin/sh
# Options, and anything that is no command, are meant for node.
set -e
case "${1:-}" in
-*) set -- node "$@" ;;
*) command -v "$1" >/dev/null || set -- node "$@" ;;
esac
exec "$@"
