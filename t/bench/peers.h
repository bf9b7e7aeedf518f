/*
 * The clients and the origin of the benchmark: peers.c has what they do, and
 * load.c when they do it.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ROOM     16384
#define WORKERS  32

enum role { CLIENT, ORIGIN, LISTENER };

struct peer {
    enum role          role;
    int                fd;
    int                waits;     /* until it can send */
    size_t             filled;
    char               in[ROOM];

    /* what is to be sent: a piece, and how much of filler behind it */
    const char        *out;
    size_t             unsent;
    size_t             more;

    /* what is still to come of a body, behind a head that has */
    size_t             due;
    int                draining;

    /* of a client */
    struct contender  *contender;
    struct peer       *idle;      /* the next one */
    double             asked;     /* when it was due */

    /* of an origin: how long its answer is */
    size_t             size;
};

struct request {
    const char  *text;
    size_t       length;
};

struct contender {
    int              pids[WORKERS];
    size_t           workers;
    double           rate;
    char             status[16];
    struct request  *requests;
    size_t           count, next;
    struct peer     *idle;
    size_t           in_flight;
};

extern int     loop;                /* of epoll */
extern size_t  answered, served;    /* to clients and by the origin, of this slice */
extern double  slice_end, *latencies;

double now(void);
int tcp(uint32_t host, int port, int (*use)(int, const struct sockaddr *, socklen_t));
struct peer *watch(enum role role, int fd);
void ask(struct contender *contender, double due);
size_t head_length(const char *text, size_t length, size_t *body);
void handle_events(void);
