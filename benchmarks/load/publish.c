/* Publishers: closed-loop, so many requests under way at once, dealt out to the connections in turn.
 *
 * A request is under way until it is answered (HTTP) and what it carries has been delivered to all who are to get it.
 * Publication n goes to channel n mod --channels. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct histogram answers;
long sent;
static struct conn *publishers;
static long *owed;                          /* by request: deliveries that are still to come */
static long undelivered, unanswered, turn, each; /* `each`: requests under way on one connection at most */
static char *payload;

struct asked { /* what a connection has sent and is not answered yet: when, oldest first, in a ring of `each` */
    long first, count;
    uint64_t at[];
};

static void answered(struct conn *c) {
    struct asked *asked = c->own;
    if (c->role->dial->mode != REQUESTS) return;
    if (!asked->count) fail(REFUSED, c, "an answer to nothing", NULL, 0);
    histogram_add(&answers, (moment - asked->at[asked->first]) / 1000);
    asked->first = (asked->first + 1) % each;
    asked->count--;
    unanswered--;
    progress = moment;
    if (!c->closes) return;
    if (asked->count) fail(REFUSED, c, "the server closes the connection, and has not answered all", NULL, 0);
    wire_close(c);
    c->stage = UNUSED;
    wire_dial(c);
}

static void gone(struct conn *c, const char *why) { fail(REFUSED, c, why, NULL, 0); }
static void ignore(struct conn *c, const char *data, size_t size) { (void)c, (void)data, (void)size; }
static const struct role role = {"publisher", &options.publisher, NULL, ignore, answered, gone, false};

void publish_open(void) {
    each = (options.window + options.publishers - 1) / options.publishers;
    publishers = conns_new(options.publishers, &role, 0);
    for (long i = 0; i < options.publishers; i++)
        publishers[i].own = calloc(1, sizeof(struct asked) + (size_t)each * sizeof(uint64_t));
    owed = calloc((size_t)(options.messages / options.batch), sizeof *owed);
    size_t size = options.size > MARK ? (size_t)options.size : MARK;
    payload = malloc(size + 1);
    if (!owed || !payload) fail(REFUSED, NULL, "no memory for so many publications", NULL, 0);
    memset(payload, FILLER, size);
    payload[size] = 0;
    dial_all(&(struct waiting){.conns = publishers, .count = options.publishers});
}

static void write_mark(uint64_t number) {
    char mark[MARK + 1];
    snprintf(mark, sizeof mark, "@%019lu:%08lu@", now(), number % SEQUENCES);
    memcpy(payload, mark, MARK);
}

static void body(struct bytes *to, struct conn *c) {
    struct values values = {.number = c->number, .payload = payload, .payload_size = strlen(payload)};
    if (options.batch_head.count) text_write(&options.batch_head, &values, to);
    for (long i = 0; i < options.batch; i++, sent++) {
        write_mark((uint64_t)sent);
        values.channel = channel_of(sent);
        values.sequence = sent;
        if (i) bytes_add(to, ",", 1);
        text_write(&options.publish_body, &values, to);
        owed[sent / options.batch] += members_of(values.channel);
    }
    if (options.batch_tail.count) text_write(&options.batch_tail, &values, to);
}

static void publish(struct conn *c) {
    static struct bytes text, request;
    struct asked *asked = c->own;
    struct values values = {.number = c->number, .channel = channel_of(sent), .sequence = sent};
    long number = sent / options.batch;
    values.payload = payload, values.payload_size = strlen(payload); /* for its length in the headers */
    text.size = request.size = 0;
    uint64_t began = now();
    body(&text, c);
    truth.published += owed[number];
    undelivered += owed[number] > 0;
    if (options.publisher.mode != REQUESTS) {
        say(c, &text);
        return;
    }
    asked->at[(asked->first + asked->count++) % each] = began;
    unanswered++;
    http_request(&request, true, &options.publish_path, &options.publish_headers, options.publisher.port, &values, &text);
    wire_send(c, request.data, request.size);
}

/* One whose socket has taken all so far, and that may have one more under way. */
static struct conn *next_free(void) {
    for (long i = 0; i < options.publishers; i++) {
        struct conn *c = &publishers[turn++ % options.publishers];
        if (c->stage == READY && !c->out.size && ((struct asked *)c->own)->count < each) return c;
    }
    return NULL;
}

static bool unsent(void) {
    for (long i = 0; i < options.publishers; i++)
        if (publishers[i].out.size) return true;
    return false;
}

bool publish_more(void) {
    while (sent < options.messages && undelivered < options.window && unanswered < options.window) {
        struct conn *c = next_free();
        if (!c) break;
        publish(c);
    }
    return sent < options.messages || undelivered || unanswered || unsent();
}

void publish_delivered(uint64_t sequence) {
    if (!--owed[sequence / (uint64_t)options.batch]) undelivered--;
}

bool publish_unanswered(void) { return unanswered > 0; }
