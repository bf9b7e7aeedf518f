/*
 * What clients and origin do with their connections.
 */

#define _GNU_SOURCE

#include "peers.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define BODY   1024
#define PIECE  (1 << 20)
#define PAUSE  2e-6

int          loop;
size_t       answered, served;
double       slice_end, *latencies;
static char  filler[PIECE];


double
now(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return t.tv_sec + t.tv_nsec / 1e9;
}


struct peer *
watch(enum role role, int fd)
{
    int                  on = 1;
    struct peer         *peer;
    struct epoll_event   event = { .events = EPOLLIN };

    peer = calloc(1, sizeof(struct peer));
    if (peer == NULL) {
        err(2, "calloc");
    }

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    peer->role = role;
    peer->fd = fd;
    event.data.ptr = peer;

    if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) == -1) {
        err(2, "epoll_ctl");
    }

    return peer;
}


static void
wait_to_send(struct peer *peer, int waits)
{
    struct epoll_event  event = { .events = EPOLLIN | (waits ? EPOLLOUT : 0) };

    if (peer->waits == waits) {
        return;
    }

    event.data.ptr = peer;
    peer->waits = waits;

    if (epoll_ctl(loop, EPOLL_CTL_MOD, peer->fd, &event) == -1) {
        err(2, "epoll_ctl");
    }
}


/* Once for each event, so that one that takes all keeps nobody waiting. */
static void
go_on(struct peer *peer)
{
    ssize_t  n;

    n = send(peer->fd, peer->out, peer->unsent, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n == -1 && errno != EAGAIN) {
        err(1, "send to %s", peer->role == CLIENT ? "nginx" : "nginx, as its origin");
    }

    if (n > 0) {
        peer->out += n;
        peer->unsent -= n;
    }

    if (peer->unsent == 0 && peer->more > 0) {
        peer->out = filler;
        peer->unsent = peer->more < PIECE ? peer->more : PIECE;
        peer->more -= peer->unsent;
    }

    wait_to_send(peer, peer->unsent > 0);
}


void
ask(struct contender *contender, double due)
{
    struct peer     *peer = contender->idle;
    struct request  *request = &contender->requests[contender->next++ % contender->count];

    contender->idle = peer->idle;
    contender->in_flight++;

    peer->asked = due;
    peer->out = request->text;
    peer->unsent = request->length;
    go_on(peer);
}


/* The length of a whole head, 0 of a part; and that of the body behind it. */
size_t
head_length(const char *text, size_t length, size_t *body)
{
    const char  *end, *field;

    end = memmem(text, length, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }

    field = memmem(text, end + 2 - text, "\r\nContent-Length: ", 18);
    *body = field != NULL ? strtoul(field + 18, NULL, 10) : 0;

    return end + 4 - text;
}


static void
serve(struct peer *peer)
{
    char  head[128];
    int   length;

    length = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", peer->size);
    memcpy(peer->in, head, length);
    memset(peer->in + length, 'x', BODY);

    /* a small answer in one piece, behind a request that is not needed any more */
    peer->out = peer->in;
    peer->unsent = length + (peer->size == BODY ? BODY : 0);
    peer->more = peer->size == BODY ? 0 : peer->size;

    served++;
    go_on(peer);
}


static void
finish(struct peer *peer)
{
    struct contender  *contender = peer->contender;

    if (peer->unsent > 0) {
        errx(1, "an answer came before the end of its request");
    }

    if (latencies != NULL) {
        latencies[answered] = now() - peer->asked;
    }

    answered++;
    contender->in_flight--;
    peer->idle = contender->idle;
    contender->idle = peer;

    if (contender->rate == 0 && now() < slice_end) {
        ask(contender, 0);
    }
}


/* A head has come, with the rest of what was received behind it. */
static void
begin(struct peer *peer)
{
    char    *size, *line;
    size_t   head, body;

    head = head_length(peer->in, peer->filled, &body);
    if (head == 0) {
        if (peer->filled == ROOM - 1) {
            errx(1, "a head is too long");
        }

        return;
    }

    if (peer->filled > head + body) {
        errx(1, "more has come than was asked for");
    }

    line = memchr(peer->in, '\r', head);
    *line = '\0';

    if (peer->role == ORIGIN) {
        size = strstr(peer->in, "/bytes-");
        peer->size = size != NULL ? strtoul(size + 7, NULL, 10) : BODY;

    } else if (strncmp(peer->in, peer->contender->status, strlen(peer->contender->status)) != 0) {
        errx(1, "answered %s", peer->in);
    }

    peer->due = body - (peer->filled - head);
    peer->filled = 0;
    peer->draining = 1;
}


static void
receive(struct peer *peer)
{
    ssize_t  n;

    if (peer->draining) {
        /* without a copy, so that it costs next to nothing */
        n = recv(peer->fd, NULL, peer->due < PIECE ? peer->due : PIECE, MSG_TRUNC);

    } else {
        n = recv(peer->fd, peer->in + peer->filled, ROOM - 1 - peer->filled, 0);
    }

    if (n <= 0) {
        /* the proxy keeps as many connections to the origin as it likes */
        if (peer->role == CLIENT || peer->draining) {
            errx(1, "nginx has closed a connection");
        }

        close(peer->fd);
        free(peer);
        return;
    }

    if (peer->draining) {
        peer->due -= n;

    } else {
        peer->filled += n;
        peer->in[peer->filled] = '\0';
        begin(peer);
    }

    if (peer->draining && peer->due == 0) {
        peer->draining = 0;

        if (peer->role == ORIGIN) {
            serve(peer);

        } else {
            finish(peer);
        }
    }
}


int
tcp(uint32_t host, int port, int (*use)(int, const struct sockaddr *, socklen_t))
{
    int                 fd, on = 1;
    struct sockaddr_in  address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(host),
    };

    fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));

    if (fd == -1 || use(fd, (struct sockaddr *) &address, sizeof(address)) == -1) {
        err(2, "port %d", port);
    }

    return fd;
}


void
handle_events(void)
{
    int                  i, n, fd;
    double               pause;
    struct peer         *peer;
    struct epoll_event   events[256];

    /*
     * Without sleep: to be woken up would be at the cost of the worker that
     * sends. Nor without a pause: so would be a lock asked for all the time.
     */
    n = epoll_wait(loop, events, 256, 0);

    for (pause = now() + PAUSE; n == 0 && now() < pause; /* void */ ) {
    }

    for (i = 0; i < n; i++) {
        peer = events[i].data.ptr;

        if (peer->role == LISTENER) {
            fd = accept(peer->fd, NULL, NULL);
            if (fd != -1) {
                watch(ORIGIN, fd);
            }

            continue;
        }

        if (events[i].events & EPOLLOUT) {
            go_on(peer);
        }

        if (events[i].events & ~EPOLLOUT) {
            receive(peer);
        }
    }
}
