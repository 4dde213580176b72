#!/usr/bin/env bash
# Package: @kubernetes/client-node 2.0.1 (npm), with node 20.19.0 and 22.19.0 from the package `node`.
#
# Behaviour: the package declares no `engines`, and installs on Node 20 without an error. Importing it there fails while
# its dependency undici 8 is loaded: undici binds a function of zlib that Node 20 does not have. On Node 22.19 it loads.
#
# Seen: engines: none; node 20.19.0: "TypeError: Cannot read properties of undefined (reading 'bind')"; node 22.19.0: loaded.
#
# Guess that misses: a client library without declared engines runs on every Node that is maintained when it is published,
# or says at installation that it does not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund @kubernetes/client-node@2.0.1 undici@8.13.1
for version in 20.19.0 22.19.0; do
  npm install --silent --no-audit --no-fund --prefix "node-$version" "node@$version"
done
echo "import * as k8s from '@kubernetes/client-node'; console.log('loaded', typeof k8s.KubeConfig);" > import.mjs
engines=$(sed -n '/"engines"/p' node_modules/@kubernetes/client-node/package.json)
old=$(node-20.19.0/node_modules/node/bin/node import.mjs 2>&1 | grep -m 1 TypeError || true)
new=$(node-22.19.0/node_modules/node/bin/node import.mjs)
echo "engines: ${engines:-none}; node 20.19.0: \"$old\"; node 22.19.0: $new"
[ -z "$engines" ] && [[ $old == "TypeError: Cannot read properties of undefined (reading 'bind')" ]] && [ "$new" = "loaded function" ]
