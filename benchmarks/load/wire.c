/* Non-blocking sockets on one epoll loop.
 *
 * A delivery is one event, one recv() into a buffer that all connections share, and no allocation. Most of what that
 * costs is the kernel's acknowledgement, which recv() sends: what is done here and in the parsers is a twentieth. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 128, SOURCE_PORTS = 8192 };

uint64_t moment, last_heard, progress;
bool broken;
static int loop;
static char received[1 << 18];
static size_t received_size;

uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

bool too_long_since(uint64_t then) { return moment > then && (double)(moment - then) > options.timeout_s * 1e9; }

/* Says who, what, and the first bytes of what came instead, and ends. */
void fail(int code, const struct conn *c, const char *what, const char *bytes, size_t size) {
    if (c) fprintf(stderr, "load: %s %ld: %s", c->role->name, c->number, what);
    else fprintf(stderr, "load: %s", what);
    if (size) fputs(": ", stderr);
    for (size_t i = 0; i < size && i < 300; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte >= ' ' && byte < 127) fputc(byte, stderr);
        else fprintf(stderr, "\\x%02x", byte);
    }
    fputc('\n', stderr);
    exit(code);
}

void wire_open(void) {
    loop = epoll_create1(EPOLL_CLOEXEC);
    if (loop < 0) fail(REFUSED, NULL, strerror(errno), NULL, 0);
    moment = last_heard = progress = now();
}

static void watch(struct conn *c, int operation, bool writable) {
    struct epoll_event event = {.events = EPOLLIN | (writable ? (uint32_t)EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(loop, operation, c->fd, &event)) fail(REFUSED, c, strerror(errno), NULL, 0);
}

/* The range of ports of one source address may be shorter than --conns, so the next address comes in: all of 127/8
 * is this machine. */
void wire_dial(struct conn *c) {
    int one = 1;
    struct sockaddr_in source = {.sin_family = AF_INET}, server = source;
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(c->number / SOURCE_PORTS));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.sin_port = htons((uint16_t)c->role->dial->port);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) fail(REFUSED, c, strerror(errno), NULL, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(c->fd, (struct sockaddr *)&source, sizeof source)) fail(REFUSED, c, strerror(errno), NULL, 0);
    if (connect(c->fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS)
        fail(REFUSED, c, strerror(errno), NULL, 0);
    c->connecting = true;
    c->sockets++;
    c->out.size = c->out_sent = 0;
    watch(c, EPOLL_CTL_ADD, true);
}

void wire_close(struct conn *c) {
    close(c->fd);
    c->fd = -1;
}

static void lost(struct conn *c) { dial_lost(c, errno ? strerror(errno) : "closed by the server"); }

static void flush(struct conn *c) {
    while (c->out_sent < c->out.size) {
        ssize_t taken = send(c->fd, c->out.data + c->out_sent, c->out.size - c->out_sent, MSG_NOSIGNAL);
        if (taken < 0 && errno == EAGAIN) return;
        if (taken < 0) {
            lost(c);
            return;
        }
        c->out_sent += (size_t)taken;
    }
    c->out.size = c->out_sent = 0;
    watch(c, EPOLL_CTL_MOD, false);
}

void wire_send(struct conn *c, const void *data, size_t size) {
    if (!c->out.size) {
        ssize_t taken = send(c->fd, data, size, MSG_NOSIGNAL);
        if (taken == (ssize_t)size) return;
        if (taken < 0 && errno != EAGAIN) return; /* the next read says why */
        if (taken > 0) data = (const char *)data + taken, size -= (size_t)taken;
        watch(c, EPOLL_CTL_MOD, true);
    }
    bytes_add(&c->out, data, size);
}

static void readable(struct conn *c) {
    ssize_t got = recv(c->fd, received, sizeof received, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        if (!got) errno = 0;
        lost(c);
        return;
    }
    last_heard = moment;
    const char *data = received;
    size_t size = received_size = (size_t)got;
    unsigned socket = c->sockets;
    while (size && c->fd >= 0 && c->sockets == socket) { /* it may have been closed, or dialled anew */
        size_t used = size;
        if (c->reading == FRAMES) used = frames_feed(c, data, size);
        else if (c->reading != BYTES) used = http_feed(c, data, size);
        else {
            c->role->payload(c, data, size);
            dial_ended(c);
        }
        data += used, size -= used;
    }
}

static void writable(struct conn *c) {
    if (!c->connecting) {
        flush(c);
        return;
    }
    int problem = 0;
    socklen_t size = sizeof problem;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &problem, &size);
    if (problem) fail(REFUSED, c, strerror(problem), NULL, 0);
    c->connecting = false;
    watch(c, EPOLL_CTL_MOD, false);
    dial_connected(c);
}

void wire_turn(int wait_ms) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(loop, events, EVENTS, options.spin ? 0 : wait_ms);
    moment = now();
    for (int i = 0; i < ready; i++) {
        struct conn *c = events[i].data.ptr;
        uint32_t what = events[i].events;
        unsigned socket = c->sockets;
        bool connecting = c->connecting;
        if (what & EPOLLOUT || (connecting && what & EPOLLERR)) writable(c);
        if (what & (EPOLLIN | EPOLLHUP | EPOLLERR) && !connecting && c->fd >= 0 && c->sockets == socket) readable(c);
    }
}

void wire_read_for(long ms, bool quiet) {
    bool spin = options.spin;
    options.spin = false;
    uint64_t began = now();
    for (;;) {
        wire_turn(5);
        uint64_t since = quiet && last_heard > began ? last_heard : began;
        if (moment - since >= (uint64_t)ms * 1000000u) break;
        if (too_long_since(began + (uint64_t)ms * 1000000u))
            fail(TIMED_OUT, NULL, "the clients do not come to rest; the last that one got", received, received_size);
    }
    options.spin = spin;
}
