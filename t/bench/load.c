/*
 * The clients and the origin of the benchmark in one thread, so that together
 * they cost less than the worker under test and wait for it, never it for them.
 *
 * load REQUESTS PROXY_PORT ORIGIN_PORT CONNECTIONS SECONDS
 *
 * Sends the requests of a file in turn, each verbatim, over connections kept
 * alive, and answers those that arrive at the origin with 1 KiB. Prints
 * "RESULT requests microseconds failed".
 */

#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BODY  1024
#define ROOM  16384

enum role { CLIENT, ORIGIN, LISTENER };

struct peer {
    enum role  role;
    int        fd;
    size_t     filled;
    char       in[ROOM];
};

static char         **requests;
static size_t         count, next;
static char           answer[BODY + 128];
static size_t         answer_length;
static int            loop;
static unsigned long  done, failed;


static void
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
}


static void
put(int fd, const char *data, size_t length)
{
    if (send(fd, data, length, MSG_NOSIGNAL) != (ssize_t) length) {
        failed++;
    }
}


static void
ask(int fd)
{
    const char  *request = requests[next++ % count];

    put(fd, request, strlen(request));
}


static void
receive(struct peer *peer)
{
    char     *end;
    ssize_t   n;

    n = recv(peer->fd, peer->in + peer->filled, ROOM - 1 - peer->filled, 0);

    if (n <= 0) {
        /* only an origin's connection may be closed: the proxy keeps as many as it likes */
        failed += peer->role == CLIENT;
        close(peer->fd);
        free(peer);
        return;
    }

    peer->filled += n;
    peer->in[peer->filled] = '\0';

    end = strstr(peer->in, "\r\n\r\n");
    if (end == NULL) {
        return;
    }

    if (peer->role == ORIGIN) {
        peer->filled = 0;
        put(peer->fd, answer, answer_length);
        return;
    }

    if (peer->in + peer->filled < end + 4 + BODY) {
        return;
    }

    failed += strncmp(peer->in, "HTTP/1.1 200 ", 13) != 0;
    done++;
    peer->filled = 0;
    ask(peer->fd);
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

    file = fopen(path, "r");
    if (file == NULL || fseek(file, 0, SEEK_END) == -1) {
        err(2, "%s", path);
    }

    length = ftell(file);
    rewind(file);

    text = calloc(1, length + 1);
    requests = calloc(length / 4 + 1, sizeof(char *));
    if (text == NULL || requests == NULL || fread(text, 1, length, file) != (size_t) length) {
        err(2, "%s", path);
    }

    while ((end = strstr(text, "\r\n\r\n")) != NULL) {
        requests[count++] = strndup(text, end + 4 - text);
        text = end + 4;
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
    double               start, end;
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
        watch(CLIENT, fd);
        ask(fd);
    }

    start = now();
    end = start + atof(argv[5]);

    while (now() < end) {
        n = epoll_wait(loop, events, 256, 1000);

        for (i = 0; i < n; i++) {
            peer = events[i].data.ptr;

            if (peer->role != LISTENER) {
                receive(peer);
                continue;
            }

            fd = accept(peer->fd, NULL, NULL);
            if (fd != -1) {
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
                watch(ORIGIN, fd);
            }
        }
    }

    printf("RESULT %lu %.0f %lu\n", done, (now() - start) * 1e6, failed);

    return 0;
}
