/* A mock upstream for throughput: OpenAI's chat completions over HTTP/1.1 with keep-alive, on 127.0.0.1 alone.
 *
 *   cc -O2 -o upstream upstream.c
 *   ./upstream [--port P] [--seconds S] [--delay MS] [--chunks N] [--gap MS]
 *
 * Every request gets the same reply after MS milliseconds; one that asks for "stream":true gets N chunks with --gap
 * milliseconds between them, the first after --delay. Prints its port, and at its end what it served as JSON. One
 * thread, epoll. All delays of a kind are equal, so what is due stands in a queue in order: no wheel, no heap. Linux.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 65536, REQUEST = 65536, EVENTS = 512, FIRST = 0, NEXT = 1 };

typedef struct {
    char *in;            /* what has arrived of a request */
    size_t have;
    char *out;           /* what the socket did not take yet */
    size_t left;
    uint32_t life;       /* tells this connection from an earlier one with the same descriptor */
    int open, busy, streams, sent;
} Connection;

typedef struct {
    uint64_t at;
    uint32_t life;
    int fd;
} Due;

typedef struct {
    Due *ring;
    size_t size, head, count;
} Queue;

static Connection connections[CONNECTIONS];
static Queue queues[2];
static uint64_t delay_ns, gap_ns, served, chunks_sent, made;
static int chunks = 20, ep, tfd, in_flight, most_in_flight;
static volatile sig_atomic_t over;
static uint64_t armed;

static const char BODY[] =
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"mock\",\"choices\":[{\"index\":0,"
    "\"message\":{\"role\":\"assistant\",\"content\":\"The parcel goes to the north lane, as its label says.\","
    "\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":21,"
    "\"completion_tokens\":12,\"total_tokens\":33}}";
#define CHUNK(delta, finish)                                                                                          \
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"mock\",\"choices\":[{" \
    "\"index\":0,\"delta\":{" delta "},\"finish_reason\":" finish "}]}\n\n"
static const char STREAM_HEAD[] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                                  "transfer-encoding: chunked\r\n\r\n";
static const char START[] = CHUNK("\"role\":\"assistant\",\"content\":\"\"", "null");
static const char WORD[] = CHUNK("\"content\":\"word \"", "null");
static const char LAST[] = CHUNK("", "\"stop\"")
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"mock\",\"choices\":[],"
    "\"usage\":{\"prompt_tokens\":21,\"completion_tokens\":12,\"total_tokens\":33}}\n\ndata: [DONE]\n\n";
static char reply[2048], start[1024], word[1024], last[2048];
static size_t reply_size, start_size, word_size, last_size;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void stop(int number) {
    (void)number;
    over = 1;
}

static void prepare(void) {
    reply_size = (size_t)sprintf(
        reply, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s", sizeof BODY - 1, BODY);
    start_size = (size_t)sprintf(start, "%s%zx\r\n%s\r\n", STREAM_HEAD, sizeof START - 1, START);
    word_size = (size_t)sprintf(word, "%zx\r\n%s\r\n", sizeof WORD - 1, WORD);
    last_size = (size_t)sprintf(last, "%zx\r\n%s\r\n0\r\n\r\n", sizeof LAST - 1, LAST);
}

static void push(int which, int fd, uint64_t at) {
    Queue *q = &queues[which];
    if (q->count == q->size) {
        size_t size = q->size ? q->size * 2 : 4096;
        Due *ring = malloc(size * sizeof *ring);
        if (!ring) fail("malloc");
        for (size_t i = 0; i < q->count; i++) ring[i] = q->ring[(q->head + i) % q->size];
        free(q->ring);
        q->ring = ring, q->size = size, q->head = 0;
    }
    q->ring[(q->head + q->count++) % q->size] = (Due){at, connections[fd].life, fd};
}

static void drop(int fd) {
    Connection *c = &connections[fd];
    if (c->busy) in_flight--;
    free(c->in);
    free(c->out);
    *c = (Connection){.life = c->life + 1};
    close(fd);
}

/* Write, and keep what the socket does not take. False where the connection is gone. */
static int put(int fd, const char *data, size_t size) {
    Connection *c = &connections[fd];
    ssize_t n = c->left ? 0 : send(fd, data, size, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) return drop(fd), 0;
    size_t gone = n > 0 ? (size_t)n : 0;
    if (gone == size) return 1;
    c->out = realloc(c->out, c->left + size - gone);
    if (!c->out) fail("realloc");
    memcpy(c->out + c->left, data + gone, size - gone);
    c->left += size - gone;
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.fd = fd};
    epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e);
    return 1;
}

static void flush(int fd) {
    Connection *c = &connections[fd];
    ssize_t n = send(fd, c->out, c->left, MSG_NOSIGNAL);
    if (n < 0) {
        if (errno != EAGAIN) drop(fd);
        return;
    }
    memmove(c->out, c->out + n, c->left - (size_t)n);
    c->left -= (size_t)n;
    if (c->left) return;
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e);
}

static void finish(int fd) {
    connections[fd].busy = 0;
    in_flight--;
    served++;
}

/* Send what is due of a reply: all of it, or the next chunks. */
static void answer(int fd, uint64_t time) {
    Connection *c = &connections[fd];
    if (!c->streams) {
        if (put(fd, reply, reply_size)) finish(fd);
        return;
    }
    if (c->sent == 0 && !put(fd, start, start_size)) return;
    while (c->sent < chunks) {
        c->sent++;
        if (!put(fd, word, word_size)) return;
        chunks_sent++;
        if (gap_ns && c->sent < chunks) {
            push(NEXT, fd, time + gap_ns);
            return;
        }
    }
    if (put(fd, last, last_size)) finish(fd);
}

/* The size of the whole request at the start of the buffer, 0 where it is not there yet. */
static size_t whole(Connection *c) {
    char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
    if (!end) return 0;
    *end = 0;
    char *said = strcasestr(c->in, "\ncontent-length:");
    size_t size = (size_t)(end - c->in) + 4 + (said ? strtoul(said + 16, NULL, 10) : 0);
    *end = '\r';
    return size <= c->have ? size : 0;
}

static void begin(int fd, uint64_t time) {
    Connection *c = &connections[fd];
    while (c->open && !c->busy) {
        size_t size = whole(c);
        if (!size) return;
        c->streams = memmem(c->in, size, "\"stream\":true", 13) || memmem(c->in, size, "\"stream\": true", 14);
        memmove(c->in, c->in + size, c->have - size);
        c->have -= size;
        c->busy = 1, c->sent = 0;
        if (++in_flight > most_in_flight) most_in_flight = in_flight;
        if (delay_ns) push(FIRST, fd, time + delay_ns);
        else answer(fd, time);
    }
}

static void read_from(int fd, uint64_t time) {
    Connection *c = &connections[fd];
    if (!c->in && !(c->in = malloc(REQUEST))) fail("malloc");
    ssize_t n = recv(fd, c->in + c->have, REQUEST - c->have, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        drop(fd);
        return;
    }
    c->have += (size_t)n;
    begin(fd, time);
}

static void take(int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        if (fd >= CONNECTIONS) {
            close(fd);
            continue;
        }
        int yes = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        connections[fd].open = 1;
        made++;
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    }
}

static void due(uint64_t time) {
    for (int which = FIRST; which <= NEXT; which++) {
        Queue *q = &queues[which];
        while (q->count && q->ring[q->head].at <= time) {
            Due d = q->ring[q->head];
            q->head = (q->head + 1) % q->size, q->count--;
            if (!connections[d.fd].open || connections[d.fd].life != d.life) continue;
            answer(d.fd, time);
            begin(d.fd, time);
        }
    }
}

/* Let the timer ring when the next thing is due. */
static void arm(void) {
    uint64_t at = 0;
    for (int which = FIRST; which <= NEXT; which++) {
        Queue *q = &queues[which];
        if (q->count && (!at || q->ring[q->head].at < at)) at = q->ring[q->head].at;
    }
    if (at == armed) return;
    armed = at;
    struct itimerspec t = {.it_value = {(time_t)(at / 1000000000u), (long)(at % 1000000000u)}};
    timerfd_settime(tfd, TFD_TIMER_ABSTIME, &t, NULL);
}

static int listening(int port, int *found) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    if (bind(fd, (struct sockaddr *)&a, size) || listen(fd, 4096)) fail("listen");
    getsockname(fd, (struct sockaddr *)&a, &size);
    *found = ntohs(a.sin_port);
    return fd;
}

int main(int argc, char **argv) {
    int port = 0;
    double seconds = 60;
    for (int i = 1; i + 1 < argc; i += 2) {
        double value = atof(argv[i + 1]);
        if (!strcmp(argv[i], "--port")) port = (int)value;
        else if (!strcmp(argv[i], "--seconds")) seconds = value;
        else if (!strcmp(argv[i], "--delay")) delay_ns = (uint64_t)(value * 1e6);
        else if (!strcmp(argv[i], "--gap")) gap_ns = (uint64_t)(value * 1e6);
        else if (!strcmp(argv[i], "--chunks")) chunks = (int)value;
        else return fprintf(stderr, "unknown: %s\n", argv[i]), 2;
    }
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    prepare();
    int listener = listening(port, &port);
    ep = epoll_create1(EPOLL_CLOEXEC);
    tfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    for (int k = 0; k < 2; k++) {
        int fd = k ? tfd : listener;
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    }
    printf("%d\n", port);
    fflush(stdout);
    uint64_t end = now() + (uint64_t)(seconds * 1e9);
    struct epoll_event events[EVENTS];
    while (!over) {
        int n = epoll_wait(ep, events, EVENTS, 200);
        uint64_t time = now();
        if (time >= end) break;
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) take(listener);
            else if (fd == tfd) {
                uint64_t rings;
                if (read(tfd, &rings, sizeof rings) < 0 && errno != EAGAIN) fail("timer");
            } else {
                if (connections[fd].open && events[i].events & EPOLLOUT) flush(fd);
                if (connections[fd].open && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_from(fd, time);
            }
        }
        due(time);
        arm();
    }
    printf("{\"served\":%llu,\"chunks\":%llu,\"connections\":%llu,\"most_in_flight\":%d}\n", (unsigned long long)served,
           (unsigned long long)chunks_sent, (unsigned long long)made, most_in_flight);
    return 0;
}
