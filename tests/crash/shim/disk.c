/* A disk under the databases of a data folder, preloaded into the real binary (LD_PRELOAD).
 *
 * It notes every write to a database file before it is done, and every sync after it succeeded, so that the harness can
 * tell what a power cut would have left. And it fails as disks fail, where the control file says so.
 *
 *   FANFARE_SHIM_LOG      the log, appended to: records of a header and, for writes, the bytes
 *   FANFARE_SHIM_CONTROL  a file of one byte, mapped: 'f' no space for writes, 'e' a sync fails, 'w' a write fails
 *   FANFARE_SHIM_KILL     `sync:n` or `write:n`: the process is killed when it is about to do that for the n-th time
 *
 * A header is five 64-bit numbers: kind, file, offset, length, 0. Files are numbered by kind 'N', whose bytes are the path. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS_MAX 65536
#define FILES_MAX 64
#define UNKNOWN 0
#define OTHER (-1)

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static volatile const char *control;
static char paths[FILES_MAX][512];
static int files;
static long kill_at_sync, kill_at_write; /* how many are left until then; 0: never */
static int known[FDS_MAX]; /* a file's number from 1, UNKNOWN or OTHER */

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_close)(int);
static int (*real_unlink)(const char *);

__attribute__((constructor)) static void start(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_close = dlsym(RTLD_NEXT, "close");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    const char *log = getenv("FANFARE_SHIM_LOG");
    if (log) log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const char *kill_at = getenv("FANFARE_SHIM_KILL");
    if (kill_at && strncmp(kill_at, "sync:", 5) == 0) kill_at_sync = atol(kill_at + 5);
    if (kill_at && strncmp(kill_at, "write:", 6) == 0) kill_at_write = atol(kill_at + 6);
    const char *path = getenv("FANFARE_SHIM_CONTROL");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *mapped = mmap(0, 1, PROT_READ, MAP_SHARED, fd, 0);
        if (mapped != MAP_FAILED) control = mapped;
    }
}

static void note(char kind, int file, uint64_t offset, const void *bytes, uint64_t length) {
    if (log_fd < 0) return;
    uint64_t header[5] = {(uint64_t)kind, (uint64_t)file, offset, length, 0};
    struct iovec parts[2] = {{header, sizeof header}, {(void *)bytes, bytes ? length : 0}};
    real_writev(log_fd, parts, 2);
}

static int ends(const char *path, const char *with) {
    size_t long_ = strlen(path), short_ = strlen(with);
    return long_ >= short_ && strcmp(path + long_ - short_, with) == 0;
}

/* The number of a database file from 1; 0 for anything else. The guard is held. */
static int file_of(int fd) {
    if (fd < 0 || fd >= FDS_MAX) return 0;
    if (known[fd] != UNKNOWN) return known[fd] > 0 ? known[fd] : 0;
    char link[64], path[512];
    strcpy(link, "/proc/self/fd/");
    char digits[16];
    int at = 15;
    digits[at] = 0;
    for (int rest = fd; at == 15 || rest; rest /= 10) digits[--at] = '0' + rest % 10;
    strcat(link, digits + at);
    ssize_t length = readlink(link, path, sizeof path - 1);
    known[fd] = OTHER;
    if (length <= 0) return 0;
    path[length] = 0;
    if (!ends(path, ".db") && !ends(path, ".db-wal") && !ends(path, ".db-journal")) return 0;
    for (int i = 0; i < files; i++)
        if (strcmp(paths[i], path) == 0) return known[fd] = i + 1;
    if (files == FILES_MAX) return 0;
    strcpy(paths[files++], path);
    note('N', files, 0, path, length);
    return known[fd] = files;
}

/* What the control file asks for; 0 where all is well. */
static char fault(void) { return control ? *control : 0; }

/* Counts down and kills. The guard is held. */
static void count(long *left) {
    if (*left > 0 && --*left == 0) kill(getpid(), SIGKILL);
}

/* Before a write: notes it, or says with errno that it is not done. */
static int before(int fd, char kind, off_t offset, const void *bytes, uint64_t length) {
    int refused = 0;
    pthread_mutex_lock(&guard);
    int file = file_of(fd);
    if (file) {
        count(&kill_at_write);
        if (fault() == 'f') refused = ENOSPC;
        else if (fault() == 'w') refused = EIO;
        else note(kind, file, (uint64_t)offset, bytes, length);
    }
    pthread_mutex_unlock(&guard);
    errno = refused;
    return refused;
}

static off_t place(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return lseek(fd, 0, flags >= 0 && (flags & O_APPEND) ? SEEK_END : SEEK_CUR);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    pthread_mutex_lock(&guard);
    int file = file_of(fd);
    pthread_mutex_unlock(&guard);
    if (file && before(fd, 'W', place(fd), bytes, length)) return -1;
    return real_write(fd, bytes, length);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) {
    if (before(fd, 'W', offset, bytes, length)) return -1;
    return real_pwrite(fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }

int ftruncate64(int fd, off_t length) {
    if (before(fd, 'T', length, 0, 0)) return -1;
    return real_ftruncate(fd, length);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int synced(int fd, int (*real)(int)) {
    pthread_mutex_lock(&guard);
    int file = file_of(fd);
    /* What is written while the disk syncs may be on it or not: only what stands before counts as synced. */
    if (file) {
        note('B', file, 0, 0, 0);
        count(&kill_at_sync);
    }
    pthread_mutex_unlock(&guard);
    if (file && fault() == 'e') {
        pthread_mutex_lock(&guard);
        note('X', file, 0, 0, 0);
        pthread_mutex_unlock(&guard);
        errno = EIO;
        return -1;
    }
    int done = real(fd);
    if (file && done == 0) {
        pthread_mutex_lock(&guard);
        note('S', file, 0, 0, 0);
        pthread_mutex_unlock(&guard);
    }
    return done;
}

int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }

/* A removed file is gone at once: that a directory may lag behind is not shown. */
int unlink(const char *path) {
    char whole[PATH_MAX];
    int is_whole = realpath(path, whole) != 0;
    int done = real_unlink(path);
    if (is_whole && done == 0) {
        pthread_mutex_lock(&guard);
        for (int i = 0; i < files; i++)
            if (strcmp(paths[i], whole) == 0) note('D', i + 1, 0, 0, 0);
        pthread_mutex_unlock(&guard);
    }
    return done;
}

int close(int fd) {
    pthread_mutex_lock(&guard);
    if (fd >= 0 && fd < FDS_MAX) known[fd] = UNKNOWN;
    pthread_mutex_unlock(&guard);
    return real_close(fd);
}
