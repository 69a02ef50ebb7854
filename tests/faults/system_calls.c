/* Faults in the system calls by which files change: put before libc by LD_PRELOAD, armed by ganvas_arm().

   Calls on paths below one folder are counted; those from the first to the last fail with an errno, or the process
   is killed before, after, or (a write) in the middle of them. Nothing is done until ganvas_arm() is called. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN = 1, WRITE = 2, SYNC = 4, RENAME = 8, LINK = 16, REMOVE = 32, FOLDER = 64, TRUNCATE = 128, LOCK = 256 };
enum { KILL_BEFORE = -1, KILL_AFTER = -2, KILL_WITHIN = -3 };

static char under[4096], ending[256];
static int calls, outcome;
static long first, last, count, kinds[16];

/* Calls below `below` (an absolute path) whose path ends in `end` ("": any): the `from`-th to the `to`-th. */
void ganvas_arm(int mask, const char *below, const char *end, long from, long to, int what) {
  snprintf(under, sizeof under, "%s", below);
  snprintf(ending, sizeof ending, "%s", end);
  first = from, last = to, outcome = what, count = 0;
  memset(kinds, 0, sizeof kinds);
  __atomic_store_n(&calls, mask, __ATOMIC_SEQ_CST);
}

/* Calls of one kind that fitted since, whatever was done with them. */
long ganvas_counted(int call) { return kinds[__builtin_ctz(call)]; }

static int of_file(int file, char *path, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, size - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return 1;
}

static int fits(const char *path) {
  size_t size = strlen(under), length = strlen(path), tail = strlen(ending);
  if (strncmp(path, under, size) != 0 || (path[size] != '/' && path[size] != 0)) return 0;
  return length >= tail && strcmp(path + length - tail, ending) == 0;
}

/* What is to be done with this call: 0 nothing, else the armed outcome. */
static int due(int call, int folder, const char *name) {
  char path[8192];
  int kept = errno;
  if (!(__atomic_load_n(&calls, __ATOMIC_SEQ_CST) & call)) return 0;
  path[0] = 0;
  if (name == NULL) {
    if (!of_file(folder, path, sizeof path)) return errno = kept, 0;
  } else if (name[0] == '/') {
    snprintf(path, sizeof path, "%s", name);
  } else {
    if (folder == AT_FDCWD ? getcwd(path, 4096) == NULL : !of_file(folder, path, 4096)) return errno = kept, 0;
    size_t there = strlen(path);
    snprintf(path + there, sizeof path - there, "/%s", name);
  }
  errno = kept;
  if (!fits(path)) return 0;
  __atomic_add_fetch(&kinds[__builtin_ctz(call)], 1, __ATOMIC_SEQ_CST);
  long mine = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
  return first <= mine && mine <= last ? outcome : 0;
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

#define FAULTY(call, folder, name, failed, real)            \
  do {                                                      \
    int what = due(call, folder, name);                     \
    if (what > 0) return errno = what, failed;              \
    if (what == KILL_BEFORE || what == KILL_WITHIN) die();  \
    __typeof__(real) got = (real);                          \
    if (what == KILL_AFTER) die();                          \
    return got;                                             \
  } while (0)

static int changes(int flags) { return (flags & (O_WRONLY | O_RDWR)) || (flags & O_CREAT); }

static int opened(int folder, const char *path, int flags, mode_t mode) {
  if (!changes(flags) || (flags & O_TMPFILE) == O_TMPFILE)
    return (int)syscall(SYS_openat, folder, path, flags, mode);
  FAULTY(OPEN, folder, path, -1, (int)syscall(SYS_openat, folder, path, flags, mode));
}

#define MODE                                 \
  mode_t mode = 0;                           \
  if (flags & (O_CREAT | __O_TMPFILE)) {     \
    va_list more;                            \
    va_start(more, flags);                   \
    mode = va_arg(more, mode_t);             \
    va_end(more);                            \
  }

int open(const char *path, int flags, ...) { MODE return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE return opened(folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) {
  MODE return opened(folder, path, flags | O_LARGEFILE, mode);
}
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

static FILE *stream(const char *name, const char *path, const char *how) {
  FILE *(*real)(const char *, const char *) = (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, name);
  if (how[0] == 'r' && strchr(how, '+') == NULL) return real(path, how);
  FAULTY(OPEN, AT_FDCWD, path, NULL, real(path, how));
}
FILE *fopen(const char *path, const char *how) { return stream("fopen", path, how); }
FILE *fopen64(const char *path, const char *how) { return stream("fopen64", path, how); }

static ssize_t written(int file, const void *data, size_t size, off_t at, int placed) {
  int what = due(WRITE, file, NULL);
  if (what > 0) return errno = what, -1;
  if (what == KILL_BEFORE) die();
  size_t most = what == KILL_WITHIN ? size / 2 : size;
  ssize_t got = placed ? syscall(SYS_pwrite64, file, data, most, at) : syscall(SYS_write, file, data, most);
  if (what != 0) die();
  return got;
}
ssize_t write(int file, const void *data, size_t size) { return written(file, data, size, 0, 0); }
ssize_t pwrite(int file, const void *data, size_t size, off_t at) { return written(file, data, size, at, 1); }
ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) { return written(file, data, size, at, 1); }
ssize_t writev(int file, const struct iovec *parts, int number) {
  FAULTY(WRITE, file, NULL, -1, (ssize_t)syscall(SYS_writev, file, parts, number));
}
ssize_t sendfile(int to, int from, off_t *at, size_t size) {
  FAULTY(WRITE, to, NULL, -1, (ssize_t)syscall(SYS_sendfile, to, from, at, size));
}
ssize_t sendfile64(int to, int from, off64_t *at, size_t size) {
  FAULTY(WRITE, to, NULL, -1, (ssize_t)syscall(SYS_sendfile, to, from, at, size));
}

int fsync(int file) { FAULTY(SYNC, file, NULL, -1, (int)syscall(SYS_fsync, file)); }
int fdatasync(int file) { FAULTY(SYNC, file, NULL, -1, (int)syscall(SYS_fdatasync, file)); }
int ftruncate(int file, off_t size) { FAULTY(TRUNCATE, file, NULL, -1, (int)syscall(SYS_ftruncate, file, size)); }
int ftruncate64(int file, off64_t size) { FAULTY(TRUNCATE, file, NULL, -1, (int)syscall(SYS_ftruncate, file, size)); }
int flock(int file, int how) { FAULTY(LOCK, file, NULL, -1, (int)syscall(SYS_flock, file, how)); }

int renameat(int from, const char *old, int to, const char *new) {
  FAULTY(RENAME, to, new, -1, (int)syscall(SYS_renameat2, from, old, to, new, 0));
}
int rename(const char *old, const char *new) { return renameat(AT_FDCWD, old, AT_FDCWD, new); }
int linkat(int from, const char *old, int to, const char *new, int flags) {
  FAULTY(LINK, to, new, -1, (int)syscall(SYS_linkat, from, old, to, new, flags));
}
int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }
int symlinkat(const char *target, int folder, const char *path) {
  FAULTY(LINK, folder, path, -1, (int)syscall(SYS_symlinkat, target, folder, path));
}
int symlink(const char *target, const char *path) { return symlinkat(target, AT_FDCWD, path); }
int unlinkat(int folder, const char *path, int flags) {
  FAULTY(REMOVE, folder, path, -1, (int)syscall(SYS_unlinkat, folder, path, flags));
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int mkdirat(int folder, const char *path, mode_t mode) {
  FAULTY(FOLDER, folder, path, -1, (int)syscall(SYS_mkdirat, folder, path, mode));
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
