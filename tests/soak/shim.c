/* Counts what a process does to files under a folder, and kills the process or refuses at a chosen one: LD_PRELOAD.

   Everything is off until soak_arm is called, in a process that was forked for it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WATCH, KILL_BEFORE, KILL_HALFWAY, REFUSE };
enum { WRITE = 1, CREATE = 2, OPEN = 4, FSYNC = 8, RENAME = 16, REMOVE = 32, MKDIR = 64, TRUNCATE = 128 };

static char folder[4096];
static size_t folder_length;
static int mode, refusal, refused_kinds, trace = -1, armed;
static long target;
static atomic_long done;

void soak_arm(const char *under, long at, int how, int number, int kinds, int trace_descriptor) {
    strncpy(folder, under, sizeof folder - 1);
    folder_length = strlen(folder);
    target = at, mode = how, refusal = number, refused_kinds = kinds, trace = trace_descriptor;
    atomic_store(&done, 0);
    armed = 1;
}

static int inside(const char *path) {
    return strncmp(path, folder, folder_length) == 0 && (path[folder_length] == '/' || !path[folder_length]);
}

static int place_of(int descriptor, char *path, size_t room) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, room - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return 1;
}

static int absolute(int at, const char *name, char *path, size_t room) {
    if (name[0] == '/') return snprintf(path, room, "%s", name) < (int)room;
    char where[4096];
    if (at == AT_FDCWD ? !getcwd(where, sizeof where) : !place_of(at, where, sizeof where)) return 0;
    return snprintf(path, room, "%s/%s", where, name) < (int)room;
}

static void note(long number, int kind, unsigned long inode, const char *path) {
    if (trace < 0) return;
    char line[4400];
    int length = snprintf(line, sizeof line, "%ld %d %lu %s\n", number, kind, inode, path);
    syscall(SYS_write, trace, line, length);
}

/* 0: go on; 1: do half of it and die; -1: refuse. */
static int meet(int kind, unsigned long inode, const char *path) {
    if (!armed || !inside(path)) return 0;
    long number = atomic_fetch_add(&done, 1) + 1;
    note(number, kind, inode, path);
    if (mode == REFUSE && number >= target && (kind & refused_kinds)) {
        errno = refusal;
        return -1;
    }
    if (number != target || mode == WATCH || mode == REFUSE) return 0;
    if (mode == KILL_HALFWAY) return 1;
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static int meet_path(int kind, int at, const char *name) {
    char path[8192];
    return armed && name && absolute(at, name, path, sizeof path) ? meet(kind, 0, path) : 0;
}

static int meet_descriptor(int kind, int descriptor) {
    char path[8192];
    struct stat facts;
    if (!armed || !place_of(descriptor, path, sizeof path) || fstat(descriptor, &facts)) return 0;
    return meet(kind, facts.st_ino, path);
}

#define REAL(name) ((typeof(&name))({ static void *it; if (!it) it = dlsym(RTLD_NEXT, #name); it; }))

#define AROUND(type, met, act) do { int m = (met); if (m < 0) return -1; type r = (act); if (m > 0) die(); return r; } while (0)

static int opens_to_write(int flags) { return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC); }

static int meet_open(int at, const char *name, int flags) {
    if (!armed || !opens_to_write(flags)) return 0;
    int is_new = (flags & O_CREAT) && faccessat(at, name, F_OK, 0) != 0;
    return meet_path(is_new ? CREATE : OPEN, at, name);
}

#define OPENING(name, at, parameters, call) \
    int name parameters { \
        va_list more; va_start(more, flags); mode_t rights = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0; va_end(more); \
        AROUND(int, meet_open(at, path, flags), REAL(name) call); \
    }

OPENING(open, AT_FDCWD, (const char *path, int flags, ...), (path, flags, rights))
OPENING(open64, AT_FDCWD, (const char *path, int flags, ...), (path, flags, rights))
OPENING(openat, at, (int at, const char *path, int flags, ...), (at, path, flags, rights))
OPENING(openat64, at, (int at, const char *path, int flags, ...), (at, path, flags, rights))

ssize_t write(int descriptor, const void *bytes, size_t count) {
    int met = meet_descriptor(WRITE, descriptor);
    if (met < 0) return -1;
    if (met > 0) { REAL(write)(descriptor, bytes, count / 2); die(); }
    return REAL(write)(descriptor, bytes, count);
}

ssize_t writev(int d, const struct iovec *v, int n) { AROUND(ssize_t, meet_descriptor(WRITE, d), REAL(writev)(d, v, n)); }
ssize_t pwrite(int d, const void *b, size_t n, off_t o) { AROUND(ssize_t, meet_descriptor(WRITE, d), REAL(pwrite)(d, b, n, o)); }
ssize_t pwrite64(int d, const void *b, size_t n, off64_t o) { AROUND(ssize_t, meet_descriptor(WRITE, d), REAL(pwrite64)(d, b, n, o)); }
ssize_t sendfile(int d, int s, off_t *o, size_t n) { AROUND(ssize_t, meet_descriptor(WRITE, d), REAL(sendfile)(d, s, o, n)); }
ssize_t sendfile64(int d, int s, off64_t *o, size_t n) { AROUND(ssize_t, meet_descriptor(WRITE, d), REAL(sendfile64)(d, s, o, n)); }
ssize_t copy_file_range(int s, off64_t *i, int d, off64_t *o, size_t n, unsigned f) { AROUND(ssize_t, meet_descriptor(WRITE, d), REAL(copy_file_range)(s, i, d, o, n, f)); }
int ftruncate(int d, off_t n) { AROUND(int, meet_descriptor(TRUNCATE, d), REAL(ftruncate)(d, n)); }
int ftruncate64(int d, off64_t n) { AROUND(int, meet_descriptor(TRUNCATE, d), REAL(ftruncate64)(d, n)); }
int fsync(int d) { AROUND(int, meet_descriptor(FSYNC, d), REAL(fsync)(d)); }
int fdatasync(int d) { AROUND(int, meet_descriptor(FSYNC, d), REAL(fdatasync)(d)); }
int rename(const char *a, const char *b) { AROUND(int, meet_path(RENAME, AT_FDCWD, b), REAL(rename)(a, b)); }
int renameat(int p, const char *a, int q, const char *b) { AROUND(int, meet_path(RENAME, q, b), REAL(renameat)(p, a, q, b)); }
int renameat2(int p, const char *a, int q, const char *b, unsigned f) { AROUND(int, meet_path(RENAME, q, b), REAL(renameat2)(p, a, q, b, f)); }
int mkdir(const char *a, mode_t m) { AROUND(int, meet_path(MKDIR, AT_FDCWD, a), REAL(mkdir)(a, m)); }
int mkdirat(int p, const char *a, mode_t m) { AROUND(int, meet_path(MKDIR, p, a), REAL(mkdirat)(p, a, m)); }
int unlink(const char *a) { AROUND(int, meet_path(REMOVE, AT_FDCWD, a), REAL(unlink)(a)); }
int unlinkat(int p, const char *a, int f) { AROUND(int, meet_path(REMOVE, p, a), REAL(unlinkat)(p, a, f)); }
int rmdir(const char *a) { AROUND(int, meet_path(REMOVE, AT_FDCWD, a), REAL(rmdir)(a)); }
