#!/bin/sh
# Fetches the vendored assets from npm again. Needs npm, tar and the npm registry; nothing else here needs them.
# To take another version, change it here, run this, read the diff and update README.md.
set -eu

cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

take() { # package version "file-in-package:name-here …"
    archive=$(npm pack --silent --pack-destination "$scratch" "$1@$2")
    mkdir "$scratch/$1"
    tar -xzf "$scratch/$archive" -C "$scratch/$1"
    for pair in $3; do
        cp "$scratch/$1/package/${pair%%:*}" "${pair##*:}"
        chmod 644 "${pair##*:}"
    done
}

take htmx.org 2.0.11 "dist/htmx.min.js:htmx.min.js LICENSE:htmx.LICENSE.txt"
take chart.js 4.6.1 "dist/chart.umd.min.js:chart.umd.min.js LICENSE.md:chart.LICENSE.md"
# The source map is not shipped, so browsers should not ask for it.
sed -i '/^\/\/# sourceMappingURL=/d' chart.umd.min.js
# Beside each its compressed copy, which the server prefers where the browser takes it.
for file in *.min.js; do gzip --best --no-name --keep --force "$file"; done
sha256sum -- *.min.js
