#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# install.sh NPM FROM TO: put the packages that FROM's lock file names into TO/node_modules, unless they are
# there already.
set -eu
npm=$1
cp "$2/package.json" "$2/package-lock.json" "$2/.npmrc" "$3/"
cd "$3"
want=$(cat package-lock.json package.json | sha256sum)
if [ "$(cat node_modules/.installed 2>/dev/null)" = "$want" ]; then
	exit 0
fi
"$npm" ci --ignore-scripts --no-audit --no-fund --loglevel=error
echo "$want" >node_modules/.installed
