/*
 * The clients and the origin of the benchmark in one thread, so that together
 * they cost less than the worker under test and wait for it, never it for them.
 *
 * load PLAN ORIGIN_PORT ROUNDS SECONDS
 *
 * Each line of the plan is a contender: "PORT PIDS CONNECTIONS IDLE STATUS RATE
 * FILE". The requests of its file go to the port in turn, each verbatim and with
 * its body, over connections kept alive, and each answer must have the status.
 * So many more connections are opened and never used. PIDS are its workers, as
 * "12,13".
 *
 * In each round every contender has a slice of so many seconds, in every other
 * round in the opposite order; one round before these is not counted. A slice
 * lasts until all that was asked in it is answered, so that none is at the cost
 * of another. With a rate of 0, each connection has a request in flight all the
 * time. Else so many a second are sent when they are due, and latency counts from
 * then, however long one had to wait for a connection.
 *
 * At the origin, which has the addresses 127.0.0.1 to 127.0.0.128, bodies are
 * thrown away. An answer has 1 KiB, or as many bytes as the target says:
 * "/bytes-N/".
 *
 * Prints for each slice "SLICE contender answered seconds cpu served memory p50
 * p99": the seconds of CPU time that the workers took, how many requests came to
 * the origin, the KiB that they had in memory at most, each for itself, and
 * latencies in microseconds, 0 without a rate. What goes wrong ends it.
 */

#define _GNU_SOURCE

#include "peers.h"

#include <err.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SETTLE      10000
#define PATIENCE    60.0
#define CONTENDERS  16
#define ORIGINS     128

static struct contender  contenders[CONTENDERS];


static void
read_requests(struct contender *contender, const char *path)
{
    int           fd;
    char         *text, *end;
    size_t        head, body, room = 0;
    struct stat   file;

    fd = open(path, O_RDONLY);
    if (fd == -1 || fstat(fd, &file) == -1) {
        err(2, "%s", path);
    }

    text = mmap(NULL, file.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (text == MAP_FAILED) {
        err(2, "%s", path);
    }

    close(fd);

    for (end = text + file.st_size; text < end; text += head + body) {
        head = head_length(text, end - text, &body);
        if (head == 0 || head + body > (size_t) (end - text)) {
            errx(2, "%s: a request is not whole", path);
        }

        if (contender->count == room) {
            room = room * 2 + 1;
            contender->requests = realloc(contender->requests, room * sizeof(struct request));
            if (contender->requests == NULL) {
                err(2, "realloc");
            }
        }

        contender->requests[contender->count++] = (struct request) { text, head + body };
    }
}


static void
read_workers(struct contender *contender, char *list)
{
    char  *pid, *rest;

    for (pid = strtok_r(list, ",", &rest); pid != NULL; pid = strtok_r(NULL, ",", &rest)) {
        if (contender->workers == WORKERS) {
            errx(2, "more than %d workers", WORKERS);
        }

        contender->pids[contender->workers++] = atoi(pid);
    }
}


/* In a process of their own, since one may have too few files for those of two nginx. */
static void
hold(int port, int connections)
{
    char     done;
    int      ready[2];
    pid_t    parent = getpid();

    if (pipe(ready) == -1) {
        err(2, "pipe");
    }

    switch (fork()) {

    case -1:
        err(2, "fork");

    case 0:
        prctl(PR_SET_PDEATHSIG, SIGKILL);

        while (connections--) {
            tcp(INADDR_LOOPBACK, port, connect);
        }

        if (write(ready[1], "", 1) != 1 || getppid() != parent) {
            exit(2);
        }

        pause();
        exit(2);

    default:
        close(ready[1]);

        if (read(ready[0], &done, 1) != 1) {
            errx(2, "not all idle connections are there");
        }

        close(ready[0]);
    }
}


static size_t
read_plan(const char *path)
{
    int                port, connections, idle, status;
    char               workers[256], file[1024];
    FILE              *plan;
    size_t             count;
    struct peer       *peer;
    struct contender  *contender;

    plan = fopen(path, "r");
    if (plan == NULL) {
        err(2, "%s", path);
    }

    for (count = 0; count < CONTENDERS; count++) {
        contender = &contenders[count];
        if (fscanf(plan, "%d %255s %d %d %d %lf %1023s", &port, workers, &connections, &idle, &status,
                   &contender->rate, file) != 7) {
            break;
        }

        read_workers(contender, workers);
        snprintf(contender->status, sizeof(contender->status), "HTTP/1.1 %d ", status);
        read_requests(contender, file);

        while (connections--) {
            peer = watch(CLIENT, tcp(INADDR_LOOPBACK, port, connect));
            peer->contender = contender;
            peer->idle = contender->idle;
            contender->idle = peer;
        }

        if (idle > 0) {
            hold(port, idle);
        }
    }

    fclose(plan);

    return count;
}


/* To the nanosecond. */
static double
cpu_time(struct contender *contender)
{
    size_t           i;
    double           sum = 0;
    clockid_t        clock;
    struct timespec  t;

    for (i = 0; i < contender->workers; i++) {
        if (clock_getcpuclockid(contender->pids[i], &clock) != 0 || clock_gettime(clock, &t) == -1) {
            errx(1, "a worker is gone");
        }

        sum += t.tv_sec + t.tv_nsec / 1e9;
    }

    return sum;
}


/* The most since it was last asked, where the kernel lets it be set back. */
static long
memory_of(int pid)
{
    char   path[64], line[256];
    int    fd;
    long   kib = 0;
    FILE  *status;

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    status = fopen(path, "r");

    while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
        sscanf(line, "VmHWM: %ld", &kib);
    }

    if (status != NULL) {
        fclose(status);
    }

    snprintf(path, sizeof(path), "/proc/%d/clear_refs", pid);
    fd = open(path, O_WRONLY);
    if (fd != -1) {
        (void) !write(fd, "5", 1);
        close(fd);
    }

    return kib;
}


static long
memory(struct contender *contender)
{
    size_t  i;
    long    sum = 0;

    for (i = 0; i < contender->workers; i++) {
        sum += memory_of(contender->pids[i]);
    }

    return sum;
}


static int
compare(const void *a, const void *b)
{
    double  x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}


static void
slice(struct contender *contender, double seconds, int counts)
{
    double  start, cpu, took, p50 = 0, p99 = 0;
    size_t  sent = 0, total = contender->rate * seconds + 1;

    usleep(SETTLE);    /* what the one before has left behind */
    memory(contender);

    answered = served = 0;
    latencies = contender->rate > 0 ? calloc(total, sizeof(double)) : NULL;

    cpu = cpu_time(contender);
    start = now();
    slice_end = start + seconds;

    while (contender->rate == 0 && contender->idle != NULL) {
        ask(contender, 0);
    }

    do {
        while (contender->rate > 0 && sent < total && contender->idle != NULL
               && start + sent / contender->rate <= now())
        {
            ask(contender, start + sent++ / contender->rate);
        }

        handle_events();

        if (now() > slice_end + PATIENCE) {
            errx(1, "no answer within %.0f s", PATIENCE);
        }
    } while (contender->in_flight > 0 || (contender->rate > 0 && sent < total));

    took = now() - start;
    usleep(SETTLE / 5);    /* what it does after its last answer */
    cpu = cpu_time(contender) - cpu;

    if (latencies != NULL) {
        qsort(latencies, answered, sizeof(double), compare);
        p50 = latencies[answered / 2];
        p99 = latencies[answered * 99 / 100];
        free(latencies);
    }

    if (counts) {
        printf("SLICE %td %zu %.6f %.9f %zu %ld %.1f %.1f\n", contender - contenders, answered, took, cpu, served,
               memory(contender), p50 * 1e6, p99 * 1e6);
    }
}


int
main(int argc, char **argv)
{
    int     fd, round, rounds;
    size_t  i, count;

    if (argc != 5) {
        errx(2, "usage: load PLAN ORIGIN_PORT ROUNDS SECONDS");
    }

    loop = epoll_create1(0);

    for (i = 0; i < ORIGINS; i++) {
        fd = tcp(INADDR_LOOPBACK + i, atoi(argv[2]), bind);
        listen(fd, 1024);
        watch(LISTENER, fd);
    }

    count = read_plan(argv[1]);
    rounds = atoi(argv[3]);

    for (round = 0; round <= rounds; round++) {
        for (i = 0; i < count; i++) {
            slice(&contenders[round % 2 ? i : count - 1 - i], atof(argv[4]), round > 0);
        }
    }

    return 0;
}
