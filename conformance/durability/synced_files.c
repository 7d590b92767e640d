/* Preloaded into PostgreSQL: keeps beside the cluster what a power cut would leave of it.
 *
 * CAUSEWAY_CUT_ROOT is the cluster's directory, CAUSEWAY_CUT_STORE what is kept of it:
 *   data/<file>    the content of a file when it was last synced; <file> is its inode and birth
 *   names/<path>   a link to "<file>": that this name would be found after the cut
 *   cut            exists once the power is off: from then on no sync happens and none returns
 *
 * As on ext4 and XFS, syncing a file makes its present name durable too. Syncing a directory makes durable which names are in
 * it; a file that was never synced itself is then found empty. Nothing else survives. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { block = 8192, key_size = 64 };

static const char *root, *store;

/* Copies: PostgreSQL writes its process title over the environment. */
__attribute__((constructor)) static void start(void) {
  const char *wanted_root = getenv("CAUSEWAY_CUT_ROOT"), *wanted_store = getenv("CAUSEWAY_CUT_STORE");
  if (!wanted_root || !wanted_store) return;
  root = strdup(wanted_root);
  store = strdup(wanted_store);
}

static int power_is_off(void) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/cut", store);
  return access(path, F_OK) == 0;
}

static void wait_for_the_end(void) {
  for (;;) pause();
}

static void fail(const char *what, const char *path) {
  fprintf(stderr, "synced_files: can't %s %s: %s\n", what, path, strerror(errno));
  abort();
}

/* The path below the root, or NULL for what lies elsewhere. */
static const char *path_below_root(int fd, char *buffer) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, buffer, PATH_MAX - 1);
  if (length <= 0) return NULL;
  buffer[length] = 0;
  const size_t prefix = strlen(root);
  if (strncmp(buffer, root, prefix) != 0 || (buffer[prefix] != '/' && buffer[prefix] != 0)) return NULL;
  return buffer[prefix] == 0 ? "" : buffer + prefix + 1;
}

/* Inodes are used again, so with the time of birth. False: not a regular file. */
static int key_of(int directory, const char *path, int flags, char *key) {
  struct statx info;
  if (statx(directory, path, flags, STATX_BASIC_STATS | STATX_BTIME, &info) != 0 || !S_ISREG(info.stx_mode)) return 0;
  snprintf(key, key_size, "%llu-%lld.%u", (unsigned long long)info.stx_ino, (long long)info.stx_btime.tv_sec, info.stx_btime.tv_nsec);
  return 1;
}

static void make_parents(const char *path) {
  char copy[PATH_MAX];
  snprintf(copy, sizeof copy, "%s", path);
  for (char *slash = strchr(copy + strlen(store) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    if (mkdir(copy, 0777) != 0 && errno != EEXIST) fail("make", copy);
    *slash = '/';
  }
}

static void keep_name(const char *path, const char *key) {
  char name[PATH_MAX], fresh[PATH_MAX], had[key_size];
  snprintf(name, sizeof name, "%s/names/%s", store, path);
  const ssize_t length = readlink(name, had, sizeof had - 1);
  if (length > 0 && (had[length] = 0, strcmp(had, key) == 0)) return;
  make_parents(name);
  snprintf(fresh, sizeof fresh, "%s/new.%d", store, (int)getpid());
  unlink(fresh);
  if (symlink(key, fresh) != 0) fail("make", fresh);
  if (rename(fresh, name) != 0) fail("rename", name);
}

/* Blocks that changed since the last sync: the write-ahead log is synced with every commit and is large. */
static void keep_content(int fd, const char *key, size_t size) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/data/%s", store, key);
  const int kept = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (kept < 0) fail("open", path);
  if (ftruncate(kept, (off_t)size) != 0) fail("resize", path);
  if (size > 0) {
    const char *now = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    char reopened[64];
    if (now == MAP_FAILED) { /* opened for writing alone */
      snprintf(reopened, sizeof reopened, "/proc/self/fd/%d", fd);
      const int readable = open(reopened, O_RDONLY | O_CLOEXEC);
      if (readable < 0) fail("read", reopened);
      now = mmap(NULL, size, PROT_READ, MAP_SHARED, readable, 0);
      close(readable);
    }
    char *then = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, kept, 0);
    if (now == MAP_FAILED || then == MAP_FAILED) fail("map", path);
    for (size_t at = 0; at < size; at += block) {
      const size_t length = size - at < block ? size - at : block;
      if (memcmp(now + at, then + at, length) != 0) memcpy(then + at, now + at, length);
    }
    munmap((void *)now, size);
    munmap(then, size);
  }
  close(kept);
}

/* Durable names of the directory that are gone from it vanish; new ones appear. */
static void keep_names_in(const char *path) {
  char real[PATH_MAX], kept[PATH_MAX], entry[2 * PATH_MAX], key[key_size];
  snprintf(real, sizeof real, "%s/%s", root, path);
  snprintf(kept, sizeof kept, "%s/names/%s", store, path);
  struct stat info;
  DIR *names = opendir(kept);
  for (struct dirent *each; names && (each = readdir(names));) {
    if (each->d_type != DT_LNK) continue;
    snprintf(entry, sizeof entry, "%s/%s", real, each->d_name);
    if (lstat(entry, &info) == 0 || errno != ENOENT) continue;
    snprintf(entry, sizeof entry, "%s/%s", kept, each->d_name);
    unlink(entry);
  }
  if (names) closedir(names);
  DIR *files = opendir(real);
  for (struct dirent *each; files && (each = readdir(files));) {
    snprintf(entry, sizeof entry, "%s/%s", real, each->d_name);
    if (!key_of(AT_FDCWD, entry, AT_SYMLINK_NOFOLLOW, key)) continue;
    snprintf(entry, sizeof entry, "%s%s%s", path, *path ? "/" : "", each->d_name);
    keep_name(entry, key);
  }
  if (files) closedir(files);
}

/* True: the file is one of the cluster's, and what it holds is kept. The store stands in for the disk. */
static int keep(int fd) {
  if (!root || !store) return 0;
  char buffer[PATH_MAX], key[key_size];
  struct stat info;
  const char *path = path_below_root(fd, buffer);
  if (!path || fstat(fd, &info) != 0 || info.st_nlink == 0) return 0;
  if (power_is_off()) wait_for_the_end();
  if (S_ISDIR(info.st_mode)) {
    keep_names_in(path);
  } else if (key_of(fd, "", AT_EMPTY_PATH, key)) {
    keep_content(fd, key, (size_t)info.st_size);
    keep_name(path, key);
  }
  if (power_is_off()) wait_for_the_end();
  return 1;
}

static int sync_really(int fd, const char *how) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, how);
  return real(fd);
}

int fsync(int fd) {
  return keep(fd) ? 0 : sync_really(fd, "fsync");
}

int fdatasync(int fd) {
  return keep(fd) ? 0 : sync_really(fd, "fdatasync");
}
