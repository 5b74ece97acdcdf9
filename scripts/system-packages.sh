#!/usr/bin/env bash
# Installs from Debian the programs that some tests talk to.
#
#     bash scripts/system-packages.sh                 all of the table
#     bash scripts/system-packages.sh nginx openssl   these commands
#
# Does nothing when they are there. Where it may not install, it says what is missing, and the tests that need it are
# skipped; with CI=true that is an error.
set -euo pipefail

# command or library  Debian package
table="
nginx               nginx-light
openssl             openssl
squid               squid-openssl
tinyproxy           tinyproxy-bin
haproxy             haproxy
danted              dante-server
microsocks          microsocks
redis-server        redis-server
chromium            chromium
libnss_wrapper.so   libnss-wrapper
nghttpd             nghttp2-server
h2load              nghttp2-client
h2o                 h2o
apache2             apache2-bin
caddy               caddy
lighttpd            lighttpd
mod_openssl.so      lighttpd-mod-openssl
hypercorn           python3-hypercorn
"

package_of() { awk -v command="$1" '$1 == command { print $2 }' <<<"$table"; }

# Daemons are in /usr/sbin, which is not on every user's PATH.
present() {
  case "$1" in
    *.so) compgen -G "/usr/lib/*/$1" >/dev/null ;;
    *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null ;;
  esac
}

wanted=("$@")
[ $# -gt 0 ] || mapfile -t wanted < <(awk 'NF { print $1 }' <<<"$table")

packages=()
for name in "${wanted[@]}"; do
  package=$(package_of "$name")
  [ -n "$package" ] || { echo "system-packages.sh: not in the table: $name" >&2; exit 2; }
  present "$name" || packages+=("$package")
done
[ ${#packages[@]} -gt 0 ] || exit 0

give_up() {
  echo "not installed: ${packages[*]} ($1)" >&2
  [ "${CI:-}" != true ] || exit 1
  echo "the tests that need them are skipped" >&2
  exit 0
}

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null && sudo -n true 2>/dev/null || give_up "neither root nor sudo without a password"
  as_root=(sudo -n)
fi
command -v apt-get >/dev/null || give_up "no apt-get here"

# Debian starts a service as it installs it, unless this policy says no (101).
policy=/usr/sbin/policy-rc.d
restore_policy() {
  "${as_root[@]}" rm -f "$policy"
  [ ! -e "$policy.saved" ] || "${as_root[@]}" mv "$policy.saved" "$policy"
}
trap restore_policy EXIT
[ ! -e "$policy" ] || "${as_root[@]}" mv "$policy" "$policy.saved"
printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
"${as_root[@]}" chmod 755 "$policy"

apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@" </dev/null; }
install() { apt install -y --no-install-recommends "${packages[@]}"; }

echo "installing ${packages[*]}"
log=$(mktemp)
# The first try fails where the package lists are absent or out of date.
if ! install >"$log" 2>&1 && ! { apt update && install; } >"$log" 2>&1; then
  cat "$log" >&2
  rm -f "$log"
  give_up "apt-get failed"
fi
rm -f "$log"
