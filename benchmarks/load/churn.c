/* Clients that join a channel and leave it, again and again, while others sit in it. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct histogram cycles;
long cycles_done;
static struct conn *churners;

struct churning {
    bool in;           /* what is awaited: that it has left; otherwise that it has joined */
    long cycles;       /* so far */
    uint64_t began;
    struct bytes seen; /* of the message under way */
};

static void tell(struct conn *c, const struct text *text) {
    static struct bytes words;
    struct values values = {.number = c->number, .channel = channel_of(c->number)};
    values.sequence = ((struct churning *)c->own)->cycles;
    words.size = 0;
    text_write(text, &values, &words);
    say(c, &words);
}

static bool saw(struct conn *c, const struct text *text) {
    static struct bytes words;
    struct churning *own = c->own;
    struct values values = {.number = c->number, .channel = channel_of(c->number), .sequence = own->cycles};
    words.size = 0;
    text_write(text, &values, &words);
    return memmem(own->seen.data, own->seen.size, words.data, words.size) != NULL;
}

static void join(struct conn *c) {
    struct churning *own = c->own;
    own->in = false;
    own->began = now();
    tell(c, &options.join);
}

static void payload(struct conn *c, const char *data, size_t size) {
    if (c->stage == READY) bytes_add(&((struct churning *)c->own)->seen, data, size);
}

static void ended(struct conn *c) {
    struct churning *own = c->own;
    bool comes_on = own->cycles < options.cycles && saw(c, own->in ? &options.left : &options.joined);
    if (!comes_on && c->role->dial->mode == RAW && own->seen.size < 65536) return; /* the rest may come */
    own->seen.size = 0;
    if (!comes_on) return;
    progress = moment;
    if (!own->in) {
        own->in = true;
        tell(c, &options.leave);
        return;
    }
    histogram_add(&cycles, (moment - own->began) / 1000);
    cycles_done++;
    if (++own->cycles < options.cycles) join(c);
    else own->in = false;
}

static const struct role role = {"churner", &options.subscriber, NULL, payload, ended, truth_gone, true};

void churn_open(void) {
    churners = conns_new(options.churners, &role, options.conns);
    for (long i = 0; i < options.churners; i++) {
        churners[i].own = calloc(1, sizeof(struct churning));
        if (!churners[i].own) fail(REFUSED, NULL, "no memory", NULL, 0);
    }
    dial_all(&(struct waiting){.conns = churners, .count = options.churners});
}

void churn_begin(void) {
    for (long i = 0; i < options.churners; i++) {
        ((struct churning *)churners[i].own)->seen.size = 0;
        join(&churners[i]);
    }
}
