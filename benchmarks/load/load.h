/* load: the load generator of the benchmarks. What its parts share; main.c says what it does and how it is called.
 *
 * options.c    the command line
 * text.c       texts with placeholders, growing buffers
 * wire.c       non-blocking sockets on one epoll loop
 * http.c       requests, and reading responses
 * websocket.c  frames
 * dial.c       how a connection comes up: handshake, greeting, openings; streaming and polling
 * truth.c      every delivery counted: missing, doubled, out of order, strayed, damaged
 * publish.c    publishers
 * churn.c      clients that join and leave
 * cpu.c        what the server costs, from /proc
 * report.c     the result as JSON
 */
#ifndef LOAD_H
#define LOAD_H

#define _GNU_SOURCE /* memmem, strcasestr */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FINE = 0, REFUSED = 1, USAGE = 2, UNTRUE = 3, TIMED_OUT = 4 }; /* exit codes */

/* ---- text.c */

struct bytes { /* a buffer that grows; `size` of `room` bytes are in use */
    char *data;
    size_t size, room;
};
void bytes_add(struct bytes *to, const void *data, size_t size);
void bytes_format(struct bytes *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum { PIECES = 64 };
struct text { /* a text cut at its placeholders, once, when the command line is read */
    int count;
    struct piece {
        char placeholder; /* 0: literal bytes */
        char *bytes;
        size_t size;
    } pieces[PIECES];
};
struct values { /* what the placeholders stand for */
    long number, channel, sequence;
    const char *payload;
    size_t payload_size;
};
/* Exits with USAGE for an escape that it does not know. */
void text_parse(struct text *text, const char *source);
void text_write(const struct text *text, const struct values *values, struct bytes *to);

/* ---- options.c */

enum mode {
    WEBSOCKET, /* handshake, then frames */
    STREAM,    /* an HTTP response that does not end; when it does, it is asked for again */
    POLL,      /* an HTTP request, and the next one as soon as it is answered */
    RAW,       /* bare TCP */
    REQUESTS,  /* HTTP requests that somebody else sends: publishers, openings */
};
enum { LISTED = 16, PIDS = 64 };
struct texts {
    int count;
    struct text list[LISTED];
};
struct dial { /* how a client connects */
    enum mode mode;
    int port;
    bool post, greeting, lockstep, binary;
    struct text path, opening_path;
    struct texts headers, openings;
};
struct options {
    int pids[PIDS], pid_count;
    struct dial subscriber, publisher;
    long conns, channels, parallel;
    bool publishes; /* otherwise: churns, replays, or only connects */
    struct text publish_path, publish_body, batch_head, batch_tail;
    struct texts publish_headers;
    long messages, publishers, window, size, batch;
    bool churns;
    struct text join, leave, joined, left;
    long cycles, churners;
    long replay, replay_from;
    struct text pong_to, pong;
    bool pongs;
    long settle_ms;
    double timeout_s;
    bool spin;
};
extern struct options options;
void options_parse(int argc, char **argv);
long channel_of(long number);   /* of a connection, of a publication */
long members_of(long channel);

/* ---- wire.c */

enum stage { UNUSED, ASKED, GREETING, OPENING, READY, GONE };
enum reading { STATUS, HEADERS, COUNTED, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER, UNTIL_CLOSE, FRAMES, BYTES };

struct conn;
struct role { /* what a connection is for */
    const char *name;
    const struct dial *dial;
    void (*ready)(struct conn *);                               /* it has sent all its openings */
    void (*payload)(struct conn *, const char *, size_t);       /* bytes without framing, in any portions */
    void (*ended)(struct conn *);                               /* a frame, a response, or what there was is complete */
    void (*gone)(struct conn *, const char *why);               /* closed by the server, after it was ready */
    bool stays_out;                                             /* it does not send the opening that subscribes */
};

struct conn {
    /* what receiving touches */
    int fd;
    uint8_t stage, reading;
    uint8_t place;                /* truth.c: how far into a mark */
    bool connecting;              /* wire.c: it is not known yet whether somebody listens */
    unsigned sockets;             /* likewise: how many it has had; what is read from one is not the next one's */
    uint8_t head_size, head[10];  /* websocket.c: the frame's head as far as it has come */
    bool gathers;                 /* whether the frame's bytes are kept in `held` */
    uint64_t left;                /* bytes that are left of the frame, the body, the chunk */
    uint64_t stamp, sequence;     /* truth.c: of the mark */
    uint64_t filler;              /* likewise: letters of its payload that are still to come */
    int64_t highest;              /* truth.c: of the marks that have come */
    long got;                     /* likewise: how many, for --replay */
    const struct role *role;
    long number;
    /* and what it does not */
    bool was_ready;               /* dial.c: it has been up; what is dialled again is the next request */
    bool chunked, closes;         /* http.c: of the response: its form, and that the server closes behind it */
    bool accepted;                /* http.c: the answer to the websocket's key was there */
    uint16_t line_size;
    uint8_t held_size;
    int status, opened;           /* openings sent so far */
    struct bytes out;             /* what the socket has not taken yet; from `out_sent` on */
    size_t out_sent;
    struct conn *opener;          /* dial.c: sends the openings of a STREAM or POLL */
    void *own;                    /* what the role keeps */
    uint64_t began;               /* dial.c: when its last opening was sent, else when it was ready */
    char held[126], line[250];
};

struct waiting { /* connections that come up a few at once */
    struct conn *conns;
    long count, started, ready;
};

extern uint64_t moment;      /* CLOCK_MONOTONIC, ns, when the events in hand were seen */
extern uint64_t last_heard;  /* when anything last came */
extern uint64_t progress;    /* when what is waited for last came on: connected, delivered, answered */
extern bool broken;          /* a connection that should have stayed was closed */
uint64_t now(void);
void wire_open(void);
void wire_dial(struct conn *c);
void wire_close(struct conn *c);
void wire_send(struct conn *c, const void *data, size_t size);
/* One turn of the loop: handles what is there; waits for it at most so long, unless --spin. */
void wire_turn(int wait_ms);
bool too_long_since(uint64_t then); /* more than --timeout */
/* Reads for so long, asleep in between; with `quiet`: until so long nothing has come. */
void wire_read_for(long ms, bool quiet);
void fail(int code, const struct conn *c, const char *what, const char *bytes, size_t size)
    __attribute__((noreturn));

/* ---- http.c, websocket.c */

void http_request(struct bytes *to, bool post, const struct text *path, const struct texts *headers, int port,
                  const struct values *values, const struct bytes *body);
void http_upgrade(struct bytes *to, const struct dial *dial, const struct values *values);
/* Both return how many of the bytes they have used: http_feed stops behind a head or a response. */
size_t http_feed(struct conn *c, const char *data, size_t size);
size_t frames_feed(struct conn *c, const char *data, size_t size);
void frame_write(struct bytes *to, int opcode, const void *data, size_t size);

/* ---- dial.c */

void dial_connected(struct conn *c);
void dial_head(struct conn *c, const char *data, size_t size);
void dial_payload(struct conn *c, const char *data, size_t size);
void dial_ended(struct conn *c);
void dial_lost(struct conn *c, const char *why);
void dial_all(struct waiting *group); /* until all are ready; exits with TIMED_OUT */
struct conn *conns_new(long count, const struct role *role, long first_number);
void say(struct conn *c, const struct bytes *text); /* in the dial's framing */

/* ---- truth.c */

struct histogram {
    uint64_t count, max, *buckets;
};
void histogram_add(struct histogram *h, uint64_t value);
int64_t histogram_percentile(const struct histogram *h, double percent); /* -1: empty */

struct truth {
    long wanted, published; /* deliveries: in all, and of what has been published so far */
    long delivered, doubled, disordered, strayed, damaged, closed;
    struct histogram latency;
};
extern struct truth truth;
void truth_open(struct conn *conns);
void truth_scan(struct conn *c, const char *data, size_t size);
void truth_gone(struct conn *c, const char *why);
long truth_missing(void);
bool truth_holds(void); /* and says what does not */

/* ---- publish.c, churn.c */

enum { MARK = 30, FILLER = 'x', SEQUENCES = 100000000 };
extern struct histogram answers;
extern long sent;
void publish_open(void);
bool publish_more(void);                 /* publishes as much as the window allows; false: all is done */
void publish_delivered(uint64_t sequence);
bool publish_unanswered(void);

extern struct histogram cycles;
extern long cycles_done;
void churn_open(void);
void churn_begin(void);

/* ---- cpu.c, report.c */

double cpu_us(void);      /* of the pids and all their children, so far; below 0: it can not be read */
double own_cpu_us(void);
long memory_kib(void);    /* likewise, proportional; below 0: it can not be read */

struct figures {
    uint64_t began, ended; /* the work: from its first byte to its last delivery, answer or cycle */
    double connect_s, connect_cpu_us, server_cpu_us, own_cpu_us;
    long memory_start_kib, memory_connected_kib, memory_end_kib;
};
void report(const struct figures *figures);

#endif
