#!/bin/sh
# Builds and tests the client for TypeScript in $BUILD, so that no tool writes between the sources, and the widget in Chromium in a page that a test in
# Go serves. Where something is missing this says what was skipped, and fails if CI is set. It runs at the module's root.
set -eu
here=functions/adapter/edge
built=$BUILD/edge/client-ts

missing() {
	if [ -n "${CI:-}" ]; then
		echo "widget-test: $1 is needed" >&2
		exit 1
	fi
	echo "SKIPPED: $2: install $1 for it" >&2
	exit 0
}

command -v node >/dev/null && command -v npm >/dev/null || missing "node with npm" "the client for TypeScript and the chat widget"
mkdir -p "$built"
rm -rf "$built/src" "$built/test" "$built/dist" "$BUILD/edge/client"
cp -R $here/client-ts/. "$built/"
cp -R $here/client "$BUILD/edge/"
if ! cmp -s "$built/package-lock.json" "$built/node_modules/.installed"; then
	for pause in 10 60 ''; do # a registry that refuses one of a hundred requests refuses the whole
		(cd "$built" && npm ci --loglevel=error --fetch-retries=5 --ignore-scripts) && break
		[ -n "$pause" ] || { echo "widget-test: npm could not install what package-lock.json lists" >&2; exit 1; }
		sleep "$pause"
	done
	cp "$built/package-lock.json" "$built/node_modules/.installed"
fi
(cd "$built" && npm test)

chromium=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
[ -n "$chromium" ] || missing "Chromium, or name one by CHROMIUM=," "the chat widget in a browser"
[ -z "${SHOTS:-}" ] || mkdir -p "$SHOTS"
SIGNALBOX_CLIENT_TS=$built CHROMIUM=$chromium go test -count=1 -v -run InABrowser ./$here
