/*
 * The clients and the origin of the benchmark in one thread, so that together
 * they cost less than the worker under test and wait for it, never it for them.
 *
 * load REQUESTS PROXY_PORT ORIGIN_PORT CONNECTIONS SECONDS
 *
 * Sends the requests of a file in turn, each verbatim and with its body, over
 * connections kept alive. Of those that arrive at the origin the body is thrown
 * away, and the answer is 1 KiB. Prints "RESULT requests microseconds failed
 * bytes", where the bytes are those of bodies at the origin.
 */

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BODY   1024
#define PAUSE  2e-6
#define ROOM   16384
#define DRAIN  (1 << 20)

enum role { CLIENT, ORIGIN, LISTENER };

struct peer {
    enum role    role;
    int          fd;
    size_t       filled;
    char         in[ROOM];

    /* of a client: the rest of its request, and whether it waits to send it */
    const char  *out;
    size_t       unsent;
    int          waits;

    /* of an origin: what is still to come of a body, behind a head that has */
    size_t       due;
    int          draining;
};

struct request {
    const char  *text;
    size_t       length;
};

static struct request  *requests;
static size_t           count, next;
static char             answer[BODY + 128];
static size_t           answer_length;
static int              loop;
static unsigned long    done, failed, drained;


static struct peer *
watch(enum role role, int fd)
{
    struct peer         *peer;
    struct epoll_event   event = { .events = EPOLLIN };

    peer = calloc(1, sizeof(struct peer));
    if (peer == NULL) {
        err(2, "calloc");
    }

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


static void
go_on(struct peer *peer)
{
    ssize_t  n;

    n = send(peer->fd, peer->out, peer->unsent, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n == -1 && errno != EAGAIN) {
        failed++;
        n = peer->unsent;
    }

    if (n > 0) {
        peer->out += n;
        peer->unsent -= n;
    }

    wait_to_send(peer, peer->unsent > 0);
}


static void
ask(struct peer *peer)
{
    struct request  *request = &requests[next++ % count];

    peer->out = request->text;
    peer->unsent = request->length;
    go_on(peer);
}


/* The length of a whole head, 0 of a part; and that of the body behind it. */
static size_t
head_length(const char *text, size_t *body)
{
    const char  *end, *field;

    end = strstr(text, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }

    field = strstr(text, "\r\nContent-Length: ");
    *body = field != NULL && field < end ? strtoul(field + 18, NULL, 10) : 0;

    return end + 4 - text;
}


static void
serve(struct peer *peer, size_t arrived)
{
    size_t  head, body;

    if (!peer->draining) {
        head = head_length(peer->in, &body);
        if (head == 0) {
            return;
        }

        arrived = peer->filled - head;
        peer->filled = 0;
        peer->due = body;
        peer->draining = 1;
    }

    peer->due -= arrived;
    drained += arrived;

    if (peer->due == 0) {
        peer->draining = 0;
        failed += send(peer->fd, answer, answer_length, MSG_NOSIGNAL) != (ssize_t) answer_length;
    }
}


static void
receive(struct peer *peer)
{
    size_t   head, body;
    ssize_t  n;

    if (peer->draining) {
        /* without a copy, so that it costs next to nothing */
        n = recv(peer->fd, NULL, peer->due < DRAIN ? peer->due : DRAIN, MSG_TRUNC);

    } else {
        n = recv(peer->fd, peer->in + peer->filled, ROOM - 1 - peer->filled, 0);
    }

    if (n <= 0) {
        /* only an origin's connection may be closed: the proxy keeps as many as it likes */
        failed += peer->role == CLIENT;
        close(peer->fd);
        free(peer);
        return;
    }

    if (!peer->draining) {
        peer->filled += n;
        peer->in[peer->filled] = '\0';
    }

    if (peer->role == ORIGIN) {
        serve(peer, n);
        return;
    }

    head = head_length(peer->in, &body);
    if (head == 0 || peer->filled < head + body) {
        return;
    }

    failed += strncmp(peer->in, "HTTP/1.1 200 ", 13) != 0 || peer->unsent > 0;
    done++;
    peer->filled = 0;
    ask(peer);
}


static int
tcp(int port, int (*use)(int, const struct sockaddr *, socklen_t))
{
    int                 fd, on = 1;
    struct sockaddr_in  address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };

    fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));

    if (fd == -1 || use(fd, (struct sockaddr *) &address, sizeof(address)) == -1) {
        err(2, "port %d", port);
    }

    return fd;
}


static void
read_requests(const char *path)
{
    char    *text, *end;
    long     length;
    FILE    *file;
    size_t   head, body;

    file = fopen(path, "r");
    if (file == NULL || fseek(file, 0, SEEK_END) == -1) {
        err(2, "%s", path);
    }

    length = ftell(file);
    rewind(file);

    text = calloc(1, length + 1);
    requests = calloc(length / 4 + 1, sizeof(struct request));
    if (text == NULL || requests == NULL || fread(text, 1, length, file) != (size_t) length) {
        err(2, "%s", path);
    }

    for (end = text + length; text < end; text += head + body) {
        head = head_length(text, &body);
        if (head == 0 || head + body > (size_t) (end - text)) {
            errx(2, "%s: a request is not whole", path);
        }

        requests[count++] = (struct request) { text, head + body };
    }
}


static double
now(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return t.tv_sec + t.tv_nsec / 1e9;
}


int
main(int argc, char **argv)
{
    int                  i, n, fd, on = 1, connections;
    double               start, end, pause;
    struct peer         *peer;
    struct epoll_event   events[256];

    if (argc != 6) {
        errx(2, "usage: load REQUESTS PROXY_PORT ORIGIN_PORT CONNECTIONS SECONDS");
    }

    read_requests(argv[1]);
    connections = atoi(argv[4]);

    answer_length = sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BODY);
    memset(answer + answer_length, 'x', BODY);
    answer_length += BODY;

    loop = epoll_create1(0);

    fd = tcp(atoi(argv[3]), bind);
    listen(fd, 1024);
    watch(LISTENER, fd);

    for (i = 0; i < connections; i++) {
        fd = tcp(atoi(argv[2]), connect);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        ask(watch(CLIENT, fd));
    }

    start = now();
    end = start + atof(argv[5]);

    /* however short it is to be, and however busy the machine */
    while (now() < end || done == 0) {
        /*
         * Without sleep: to be woken up would be at the cost of the worker that
         * sends. Nor without a pause: so would be a lock asked for all the time.
         */
        n = epoll_wait(loop, events, 256, 0);

        for (pause = now() + PAUSE; n == 0 && now() < pause; /* void */ ) {
        }

        for (i = 0; i < n; i++) {
            peer = events[i].data.ptr;

            if (peer->role != LISTENER) {
                if (events[i].events & EPOLLOUT) {
                    go_on(peer);
                }

                if (events[i].events & ~EPOLLOUT) {
                    receive(peer);
                }

                continue;
            }

            fd = accept(peer->fd, NULL, NULL);
            if (fd != -1) {
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
                watch(ORIGIN, fd);
            }
        }
    }

    printf("RESULT %lu %.0f %lu %lu\n", done, (now() - start) * 1e6, failed, drained);

    return 0;
}
