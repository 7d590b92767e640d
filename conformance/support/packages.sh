# Sourced by run and test: what is needed from Debian 12, and how to get what is missing.

build_packages=(g++ cmake ninja-build ccache mold pkg-config git
  libboost1.81-dev libboost-json1.81-dev libpqxx-dev libsodium-dev libssl-dev libspdlog-dev libfmt-dev
  prometheus-cpp-dev libtomlplusplus-dev libcli11-dev libc-ares-dev libjemalloc-dev zlib1g-dev libgtest-dev libgmock-dev
  postgresql-15 curl ca-certificates openssl)
test_packages=(clang clang-format libclang-rt-14-dev llvm python3 python3-venv python3-pytest python3-requests python3-nacl iproute2)

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Installing postgresql-15 starts a cluster of its own unless told not to beforehand.
without_a_cluster() {
  local conf=/etc/postgresql-common/createcluster.conf kept=
  as_root mkdir -p "$(dirname "$conf")"
  if [ -e "$conf" ]; then
    kept=$(mktemp)
    as_root cp -p "$conf" "$kept"
  fi
  echo "create_main_cluster = false" | as_root tee "$conf" >/dev/null
  local status=0
  "$@" || status=$?
  if [ -n "$kept" ]; then
    as_root cp -p "$kept" "$conf"
    as_root rm -f "$kept"
  else
    as_root rm -f "$conf"
  fi
  return $status
}

install_packages() {
  local missing=() package
  for package in "$@"; do
    case $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) in
      "install ok installed") ;;
      *) missing+=("$package") ;;
    esac
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing: ${missing[*]}"
  as_root apt-get update -qq
  without_a_cluster as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    -o Dpkg::Options::=--force-confold --no-install-recommends "${missing[@]}"
}

# npm, where there is none: Debian's.
install_npm() {
  command -v npm >/dev/null || install_packages nodejs npm
}

# A Synapse of the versions named, from PyPI, in a virtual environment of its own.
install_synapse() {
  local versions=conformance/interop/requirements.txt venv=build/interop/synapse
  ! cmp -s "$versions" "$venv/installed.txt" || return 0
  /usr/bin/python3 -m venv --clear "$venv" &&
    "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r "$versions" &&
    cp "$versions" "$venv/installed.txt"
}

# Started as root, the server becomes this user.
make_server_user() {
  [ "$(id -u)" = 0 ] || return 0
  id -u causeway >/dev/null 2>&1 ||
    useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin causeway
}

# build PRESET TARGET...: what the compiler says, and now and then how far it is.
build() {
  local preset=$1
  shift
  if [ ! -e "build/$preset/build.ninja" ]; then
    echo "building: preparing build/$preset"
    cmake --preset "$preset" >/dev/null
  fi
  NINJA_STATUS="$build_status" cmake --build "build/$preset" --target "$@" | show_progress
}

# Ninja's lines begin with how many steps are finished, of how many, after how many seconds.
build_status="causeway-build %f %t %e "

# Passes on what ninja prints, but for the lines that name a step: of these, one each 30 s says how far it is. On a
# terminal each step says so, in one line that stays.
show_progress() {
  local line tag finished steps elapsed step shown=-30 said=
  while IFS= read -r line || [ -n "$line" ]; do
    read -r tag finished steps elapsed step <<<"$line"
    if [ "$tag" != "${build_status%% *}" ]; then
      [ "$line" != "ninja: no work to do." ] || continue
      [ -z "$said" ] || [ ! -t 1 ] || echo
      said=
      printf '%s\n' "$line"
      continue
    fi
    case $step in "Re-checking globbed directories"* | "Re-running CMake"*) continue ;; esac
    elapsed=${elapsed%.*}
    if [ -t 1 ]; then
      printf '\r\033[Kbuilding: %d of %d files, %d s' "$finished" "$steps" "$elapsed"
      said=1
    elif [ $((elapsed - shown)) -ge 30 ] || [ "$finished" = "$steps" ]; then
      printf 'building: %d of %d files, %d s\n' "$finished" "$steps" "$elapsed"
      shown=$elapsed
    fi
  done
  [ -z "$said" ] || echo
}
