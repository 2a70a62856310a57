/* How a connection comes up, one state machine for all kinds of clients:
 *
 *   CONNECTING -> ASKED (the handshake or the first request is sent) -> GREETING (the server speaks first)
 *              -> OPENING (openings are sent, in lockstep each waits for an answer) -> READY
 *
 * What a mode has no use for is left out. The openings of STREAM and POLL travel on a connection of their own. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct waiting *group; /* that comes up at the moment */

static struct values values_of(const struct conn *c) {
    return (struct values){.number = c->number, .channel = channel_of(c->number)};
}

static bool http(const struct conn *c) { return c->role->dial->mode == STREAM || c->role->dial->mode == POLL; }

void say(struct conn *c, const struct bytes *text) {
    static struct bytes frame;
    if (c->role->dial->mode != WEBSOCKET) {
        wire_send(c, text->data, text->size);
        return;
    }
    frame.size = 0;
    frame_write(&frame, c->role->dial->binary ? 2 : 1, text->data, text->size);
    wire_send(c, frame.data, frame.size);
}

/* Those who churn send all but the last, which subscribes. */
static int openings_of(const struct conn *c) { return c->role->dial->openings.count - c->role->stays_out; }

static void ready(struct conn *c) {
    if (!c->began) c->began = now(); /* it had nothing to say */
    c->stage = READY;
    c->was_ready = true;
    progress = moment;
    if (group && c >= group->conns && c < group->conns + group->count) group->ready++;
    if (c->role->ready) c->role->ready(c);
}

/* ---- openings */

static void opening_answered(struct conn *opener);
static void opening_post(struct conn *opener);
static void opening_lost(struct conn *opener, const char *why) {
    fail(REFUSED, opener, why, NULL, 0);
}
static void ignore(struct conn *c, const char *data, size_t size) { (void)c, (void)data, (void)size; }
static struct dial opener_dial = {.mode = REQUESTS};
static const struct role opener_role = {"the opening of subscriber", &opener_dial, opening_post, ignore,
                                        opening_answered, opening_lost, false};

static void opening_write(struct conn *c, struct bytes *to) {
    const struct dial *dial = c->role->dial;
    struct values values = values_of(c);
    to->size = 0;
    text_write(&dial->openings.list[c->opened], &values, to);
    c->began = now();
    c->opened++;
}

static void opening_post(struct conn *opener) {
    static struct bytes body, request;
    struct conn *c = opener->own;
    const struct dial *dial = c->role->dial;
    struct values values = values_of(c);
    opening_write(c, &body);
    request.size = 0;
    http_request(&request, true, &dial->opening_path, &dial->headers, dial->port, &values, &body);
    wire_send(opener, request.data, request.size);
}

static void opening_answered(struct conn *opener) {
    struct conn *c = opener->own;
    if (c->opened < openings_of(c)) {
        opening_post(opener);
        return;
    }
    wire_close(opener);
    ready(c);
}

/* Sends the next opening, or all that are left; then the connection is ready. */
static void openings_go_on(struct conn *c) {
    const struct dial *dial = c->role->dial;
    c->stage = OPENING;
    if (http(c) && dial->openings.count) {
        opener_dial.port = dial->port;
        c->opener = conns_new(1, &opener_role, c->number);
        c->opener->own = c;
        wire_dial(c->opener);
        return;
    }
    static struct bytes text;
    while (!http(c) && c->opened < openings_of(c)) {
        opening_write(c, &text);
        say(c, &text);
        if (dial->lockstep && c->opened < openings_of(c)) return;
    }
    ready(c);
}

/* ---- what happens to a connection */

static void ask(struct conn *c) {
    static struct bytes request;
    const struct dial *dial = c->role->dial;
    struct values values = values_of(c);
    request.size = 0;
    if (dial->mode == WEBSOCKET) http_upgrade(&request, dial, &values);
    else http_request(&request, dial->post, &dial->path, &dial->headers, dial->port, &values, &(struct bytes){0});
    wire_send(c, request.data, request.size);
}

void dial_connected(struct conn *c) {
    const struct dial *dial = c->role->dial;
    c->reading = dial->mode == RAW ? BYTES : STATUS;
    c->line_size = 0;
    if (dial->mode == REQUESTS) ready(c);
    else if (dial->mode == RAW) {
        c->stage = GREETING;
        if (!dial->greeting) openings_go_on(c);
    } else {
        ask(c);
        if (c->stage != UNUSED) return; /* a further request of a client that is under way */
        c->stage = ASKED;
        if (dial->mode == POLL && !dial->greeting && !dial->openings.count) ready(c);
    }
}

/* The head of a response has come; `data` is what has come behind it. */
void dial_head(struct conn *c, const char *data, size_t size) {
    const struct dial *dial = c->role->dial;
    bool upgraded = dial->mode == WEBSOCKET && c->status == 101 && c->accepted;
    if (!upgraded && (dial->mode == WEBSOCKET || c->status / 100 != 2)) {
        char what[40];
        snprintf(what, sizeof what, "answered %d", c->status);
        fail(REFUSED, c, what, data, size);
    }
    if (upgraded) {
        c->reading = FRAMES;
        c->stage = GREETING;
    }
    if (!dial->greeting && (upgraded || (dial->mode == STREAM && c->stage == ASKED))) openings_go_on(c);
}

/* Of an HTTP body. The first word of a stream may have padding before it, as SockJS has: a line of h. */
void dial_payload(struct conn *c, const char *data, size_t size) {
    c->role->payload(c, data, size);
    if (c->stage != ASKED || c->role->dial->mode != STREAM) return;
    for (size_t i = 0; i < size; i++)
        if (!strchr("h\r\n", data[i])) {
            openings_go_on(c);
            return;
        }
}

/* A frame, a response, or what has come of bare bytes, is complete. */
void dial_ended(struct conn *c) {
    bool asks = http(c);
    if (c->stage == READY && c->role->ended) c->role->ended(c);
    else if ((asks && c->stage == ASKED) || (!asks && (c->stage == GREETING || c->stage == OPENING))) openings_go_on(c);
    if (asks && c->closes) {
        wire_close(c);
        wire_dial(c);
    } else if (asks) ask(c);
}

void dial_lost(struct conn *c, const char *why) {
    bool between = c->reading == STATUS && !c->line_size && c->status;
    if (http(c) && (between || c->reading == UNTIL_CLOSE)) {
        c->closes = true;
        if (c->reading == UNTIL_CLOSE) dial_ended(c);
        else wire_close(c), wire_dial(c);
    } else if (!c->was_ready) {
        char what[300];
        snprintf(what, sizeof what, "%s, before it was ready", why);
        fail(REFUSED, c, what, NULL, 0);
    } else c->role->gone(c, why);
}

/* ---- many */

struct conn *conns_new(long count, const struct role *role, long first_number) {
    struct conn *conns = calloc((size_t)count + 1, sizeof *conns);
    if (!conns) fail(REFUSED, NULL, "no memory for so many connections", NULL, 0);
    for (long i = 0; i < count; i++) {
        conns[i].fd = -1;
        conns[i].role = role;
        conns[i].number = first_number + i;
        conns[i].highest = -1;
    }
    return conns;
}

void dial_all(struct waiting *conns) {
    group = conns;
    progress = now();
    while (conns->ready < conns->count) {
        while (conns->started < conns->count && conns->started - conns->ready < options.parallel)
            wire_dial(&conns->conns[conns->started++]);
        wire_turn(100);
        if (!too_long_since(progress)) continue;
        struct conn *c = conns->conns;
        while (c->was_ready) c++;
        static const char *const stages[] = {"connected", "answered", "greeted", "ready"};
        char what[100];
        snprintf(what, sizeof what, "not %s in %g s", stages[c->stage < READY ? c->stage : READY], options.timeout_s);
        fail(TIMED_OUT, c, what, NULL, 0);
    }
    group = NULL;
}
