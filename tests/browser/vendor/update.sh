#!/bin/sh
# Fetches axe-core from npm again. To take another version, change it here, run this and read the diff.
set -eu

cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
archive=$(npm pack --silent --pack-destination "$scratch" axe-core@4.14.1)
tar -xzf "$scratch/$archive" -C "$scratch"
cp "$scratch/package/axe.min.js" axe.min.js
cp "$scratch/package/LICENSE" axe.LICENSE.txt
chmod 644 axe.min.js axe.LICENSE.txt
sha256sum -- axe.min.js
