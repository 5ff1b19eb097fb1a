#!/usr/bin/env bash
# The baseline of `cargo testbed bench`: the same release as a competent team would write it down without this project.
# The happy path in one go, each step after the other, and no guarantee beyond it: no preflight, no gate, no resume.
#
# usage: straight-script.sh TAG, in a clone of the repository, logged in to the registry with docker
# needs: FORGE (http://host) REPOSITORY (owner/name) FORGE_TOKEN COSIGN_PRIVATE_KEY COSIGN_PASSWORD
# may have: BUILD_FLAGS, what this machine needs for a build and others do not
set -euo pipefail
umask 077

TAG=${1:?a tag}
IMAGE=${FORGE#*://}/$REPOSITORY
OUT=$(mktemp -d)
trap 'rm -rf "$OUT"' EXIT
# For the table of steps; costs no process.
step() { printf '%s %s\n' "$EPOCHREALTIME" "$1" >&2; }

step checkout
git checkout --quiet "$TAG"
COMMIT=$(git rev-parse HEAD)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
CREATED=$(date --utc --date="@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
BASE=$(sed -n 's/^FROM \([^- ]*\)$/\1/p' Dockerfile | tail -n 1)

step build
TAGS=(--tag "$IMAGE:$TAG")
PRERELEASE=true
if [[ $TAG != *-* ]]; then
    TAGS+=(--tag "$IMAGE:latest")
    PRERELEASE=false
fi
METADATA=()
for pair in title=carol "description=an example service, released by its own repository" licenses=MIT \
    "version=${TAG#v}" "revision=$COMMIT" "source=$FORGE/$REPOSITORY" "created=$CREATED" \
    "base.name=docker.io/library/${BASE%@*}" "base.digest=${BASE#*@}"; do
    pair=org.opencontainers.image.$pair
    METADATA+=(--label "$pair" --annotation "index:$pair" --annotation "manifest:$pair")
done
# shellcheck disable=SC2086 # several flags in one variable
docker buildx build --progress=plain --provenance=false --sbom=false --platform=linux/amd64,linux/arm64 \
    --build-arg SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" --build-arg VERSION="${TAG#v}" \
    --build-arg REVISION="$COMMIT" --build-arg SOURCE="$FORGE/$REPOSITORY" \
    "${METADATA[@]}" ${BUILD_FLAGS:-} "${TAGS[@]}" --push --metadata-file "$OUT/build.json" .
PINNED=$IMAGE@$(jq --raw-output '."containerimage.digest"' "$OUT/build.json")

step sbom
(cd service && npm sbom --package-lock-only --omit=dev --sbom-format=cyclonedx --sbom-type=application) >"$OUT/sbom.json"

KEY=(--yes --key env://COSIGN_PRIVATE_KEY --tlog-upload=false)
step sign
cosign sign "${KEY[@]}" "$PINNED"

step provenance
jq --null-input --arg repository "$FORGE/$REPOSITORY" --arg ref "refs/tags/$TAG" --arg commit "$COMMIT" --arg at "$CREATED" '{
    buildDefinition: {
        buildType: "https://example.org/straight-script/v1",
        externalParameters: { repository: $repository, ref: $ref },
        resolvedDependencies: [{ uri: "git+\($repository)@\($ref)", digest: { gitCommit: $commit } }]
    },
    runDetails: { builder: { id: "https://example.org/straight-script" }, metadata: { startedOn: $at } }
}' >"$OUT/provenance.json"
cosign attest "${KEY[@]}" --type https://slsa.dev/provenance/v1 --predicate "$OUT/provenance.json" "$PINNED"

step 'attest sbom'
cosign attest "${KEY[@]}" --type cyclonedx --predicate "$OUT/sbom.json" "$PINNED"

step page
PREVIOUS=$(git describe --tags --abbrev=0 "$TAG^" 2>/dev/null || true)
git log --no-merges --format='- %s (%h)' ${PREVIOUS:+"$PREVIOUS.."}"$TAG" >"$OUT/notes.md"
jq --null-input --arg tag "$TAG" --rawfile body "$OUT/notes.md" --argjson prerelease "$PRERELEASE" \
    '{ tag_name: $tag, name: $tag, body: $body, prerelease: $prerelease }' >"$OUT/page.json"
# In a file, as an argument would show the token to every user of the machine.
printf 'Authorization: token %s\n' "$FORGE_TOKEN" >"$OUT/authorization"
curl --fail --silent --show-error --output "$OUT/answer.json" --header @"$OUT/authorization" \
    --header 'Content-Type: application/json' --data @"$OUT/page.json" "$FORGE/api/v1/repos/$REPOSITORY/releases"

step end
echo "released $TAG as $PINNED"
