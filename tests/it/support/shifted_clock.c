/* A wall clock that a test moves, for a program that does not know: loaded with LD_PRELOAD into the shipped binary.
 *
 * The file that CLOCK_SHIFT names holds one int64_t, the shift in nanoseconds; it is mapped, so a write to it is a jump
 * of the clock at that moment. Monotonic clocks are left alone, as they are when somebody sets the time.
 *
 * Waits until a time of the wall clock are the second half of the truth: the kernel looks at such a wait again when the
 * clock is set, so that a jump ahead ends it, and a jump back makes it longer by as much. That is done here in slices.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
/* How late a jump may be noticed by somebody who waits. */
#define SLICE (SECOND / 20)

static const volatile int64_t *shift_ns;
static int (*real_cnd_timedwait)(cnd_t *, mtx_t *, const struct timespec *);
static int (*real_cnd_signal)(cnd_t *);
static int (*real_cnd_broadcast)(cnd_t *);
static int (*real_pthread_cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*real_pthread_cond_signal)(pthread_cond_t *);
static int (*real_pthread_cond_broadcast)(pthread_cond_t *);

/* Signals given so far, by condition: who finds none between two slices of a wait can't have missed one. */
static unsigned signals[1024];

static unsigned *signals_of(const void *condition) {
        return &signals[((uintptr_t)condition >> 4) % 1024];
}

/* The default version of a function, where it has older ones. */
static void *next(const char *name, const char *version) {
        void *found = dlvsym(RTLD_NEXT, name, version);
        return found != NULL ? found : dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void begin(void) {
        const char *path = getenv("CLOCK_SHIFT");
        int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        real_cnd_timedwait = next("cnd_timedwait", "GLIBC_2.34");
        real_cnd_signal = next("cnd_signal", "GLIBC_2.34");
        real_cnd_broadcast = next("cnd_broadcast", "GLIBC_2.34");
        real_pthread_cond_timedwait = next("pthread_cond_timedwait", "GLIBC_2.3.2");
        real_pthread_cond_signal = next("pthread_cond_signal", "GLIBC_2.3.2");
        real_pthread_cond_broadcast = next("pthread_cond_broadcast", "GLIBC_2.3.2");
        if (file >= 0) {
                void *mapped = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
                if (mapped != MAP_FAILED)
                        shift_ns = mapped;
                close(file);
        }
}

static int64_t shift(void) {
        return shift_ns != NULL ? *shift_ns : 0;
}

static struct timespec of_ns(int64_t ns) {
        struct timespec time = {.tv_sec = ns / SECOND, .tv_nsec = ns % SECOND};
        return time;
}

static int64_t real_ns(void) {
        struct timespec now;
        syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
        return now.tv_sec * SECOND + now.tv_nsec;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
        if (syscall(SYS_clock_gettime, clock, time) != 0)
                return -1;
        if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
                *time = of_ns(time->tv_sec * SECOND + time->tv_nsec + shift());
        return 0;
}

int gettimeofday(struct timeval *time, void *zone) {
        struct timespec now = of_ns(real_ns() + shift());
        (void)zone;
        time->tv_sec = now.tv_sec;
        time->tv_usec = now.tv_nsec / 1000;
        return 0;
}

time_t time(time_t *into) {
        time_t now = (real_ns() + shift()) / SECOND;
        if (into != NULL)
                *into = now;
        return now;
}

/* The next slice of a wait until `deadline` of the shifted clock; the result is whether it is over with it. */
static int is_last(const struct timespec *deadline, struct timespec *until) {
        int64_t now = real_ns(), end = deadline->tv_sec * SECOND + deadline->tv_nsec - shift();
        int last = end <= now + SLICE;
        *until = of_ns(last ? end : now + SLICE);
        return last;
}

static int is_over(const struct timespec *deadline) {
        return deadline->tv_sec * SECOND + deadline->tv_nsec <= real_ns() + shift();
}

int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *deadline) {
        unsigned seen = __atomic_load_n(signals_of(condition), __ATOMIC_SEQ_CST);
        for (;;) {
                struct timespec until;
                int last = is_last(deadline, &until);
                int result = real_cnd_timedwait(condition, mutex, &until);
                if (result != thrd_timedout || (last && is_over(deadline)))
                        return result;
                if (__atomic_load_n(signals_of(condition), __ATOMIC_SEQ_CST) != seen)
                        return thrd_success;
        }
}

int cnd_signal(cnd_t *condition) {
        __atomic_fetch_add(signals_of(condition), 1, __ATOMIC_SEQ_CST);
        return real_cnd_signal(condition);
}

int cnd_broadcast(cnd_t *condition) {
        __atomic_fetch_add(signals_of(condition), 1, __ATOMIC_SEQ_CST);
        return real_cnd_broadcast(condition);
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *deadline) {
        unsigned seen = __atomic_load_n(signals_of(condition), __ATOMIC_SEQ_CST);
        for (;;) {
                struct timespec until;
                int last = is_last(deadline, &until);
                int result = real_pthread_cond_timedwait(condition, mutex, &until);
                if (result != ETIMEDOUT || (last && is_over(deadline)))
                        return result;
                if (__atomic_load_n(signals_of(condition), __ATOMIC_SEQ_CST) != seen)
                        return 0;
        }
}

int pthread_cond_signal(pthread_cond_t *condition) {
        __atomic_fetch_add(signals_of(condition), 1, __ATOMIC_SEQ_CST);
        return real_pthread_cond_signal(condition);
}

int pthread_cond_broadcast(pthread_cond_t *condition) {
        __atomic_fetch_add(signals_of(condition), 1, __ATOMIC_SEQ_CST);
        return real_pthread_cond_broadcast(condition);
}
