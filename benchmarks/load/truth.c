/* Every delivery counted.
 *
 * A mark, "@<19 digits: when it was published, CLOCK_MONOTONIC ns>:<8 digits: which one>@", stands in every payload. A
 * connection has one bit for each publication of its channel: set twice is a double, not set at the end is missing. The
 * letters that fill a payload up to --size are read, too: a delivery is one when the last of them is there. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILLED = 30 }; /* the place behind a whole mark */
enum { SHIFT = 11, HALF = 1 << (SHIFT - 1), LINES = 5 };

struct truth truth;
static uint8_t *bits;
static size_t bits_each; /* bytes for a connection */
static struct conn *first;

/* ---- latencies: to the microsecond below 2^11 us, beyond with an error of 1/1024 at most */

static size_t bucket(uint64_t value) {
    int above = 63 - __builtin_clzll(value | HALF) - (SHIFT - 1);
    return (size_t)above * HALF + (size_t)(value >> above);
}

static uint64_t least_of(size_t index) {
    size_t above = index < 2 * HALF ? 0 : index / HALF - 1;
    return (uint64_t)(index - above * HALF) << above;
}

void histogram_add(struct histogram *h, uint64_t value) {
    if (!h->buckets) h->buckets = calloc((64 - SHIFT + 2) * HALF, sizeof *h->buckets);
    if (!h->buckets) fail(REFUSED, NULL, "no memory", NULL, 0);
    h->buckets[bucket(value)]++;
    h->count++;
    if (value > h->max) h->max = value;
}

int64_t histogram_percentile(const struct histogram *h, double percent) {
    uint64_t rank = (uint64_t)((double)h->count * percent / 100), seen = 0;
    if (!h->count) return -1;
    for (size_t i = 0;; i++)
        if ((seen += h->buckets[i]) > rank) return (int64_t)least_of(i);
}

/* ---- marks */

static long wanted_of(long channel, long published) { return (published - channel + options.channels - 1) / options.channels; }

void truth_open(struct conn *conns) {
    long each = options.replay ? options.replay : options.publishes ? wanted_of(0, options.messages) : 0;
    first = conns;
    bits_each = (size_t)each / 8 + 1;
    bits = calloc((size_t)options.conns + 1, bits_each);
    if (!bits) fail(REFUSED, NULL, "no memory for so many deliveries", NULL, 0);
    if (options.replay) truth.published = truth.wanted = options.replay * options.conns;
    for (long n = 0; options.publishes && n < options.messages; n++) truth.wanted += members_of(channel_of(n));
}

/* Says what is wrong, the first few times. */
static void untrue(const struct conn *c, long count, const char *what, uint64_t sequence) {
    if (count <= LINES) fprintf(stderr, "load: %s %ld: %s publication %lu\n", c->role->name, c->number, what, sequence);
    else if (count == LINES + 1) fprintf(stderr, "load: %s: and more of them\n", what);
}

static void mark(struct conn *c) {
    uint64_t sequence = c->sequence, place = sequence / (uint64_t)options.channels;
    bool strayed = (long)(sequence % (uint64_t)options.channels) != channel_of(c->number) || sequence >= (uint64_t)sent;
    if (options.replay) {
        place = sequence - (uint64_t)options.replay_from;
        strayed = place >= (uint64_t)options.replay;
    }
    if (strayed || c->stamp > moment) {
        untrue(c, ++truth.strayed, "was not to get", sequence);
        return;
    }
    uint8_t *byte = &bits[(size_t)(c - first) * bits_each + place / 8], bit = (uint8_t)(1 << place % 8);
    if (*byte & bit) {
        untrue(c, ++truth.doubled, "got twice", sequence);
        return;
    }
    *byte |= bit;
    truth.delivered++;
    progress = moment;
    if ((int64_t)place > c->highest) c->highest = (int64_t)place;
    else if (options.publishers == 1) untrue(c, ++truth.disordered, "got late", sequence);
    if (!options.replay) {
        histogram_add(&truth.latency, (moment - c->stamp) / 1000);
        publish_delivered(sequence);
    } else if (++c->got == options.replay) histogram_add(&truth.latency, (moment - c->began) / 1000);
}

/* The state between two calls is the place in the mark, so it does not matter where the bytes are cut. */
void truth_scan(struct conn *c, const char *data, size_t size) {
    const char *end = data + size;
    unsigned place = c->place;
    while (data < end) {
        if (!place) {
            data = memchr(data, '@', (size_t)(end - data));
            if (!data) break;
            data++;
            place = 1;
            c->stamp = c->sequence = 0;
            continue;
        }
        if (place == FILLED) {
            size_t there = (size_t)(end - data), letters = c->filler < there ? c->filler : there;
            if (*data == FILLER && !memcmp(data, data + 1, letters - 1)) {
                data += letters;
                if (c->filler -= letters) continue;
            } else untrue(c, ++truth.damaged, "got not the whole of", c->sequence);
            mark(c); /* a damaged one, too: that it came is true */
            place = 0;
            continue;
        }
        char byte = *data;
        bool digit = byte >= '0' && byte <= '9';
        if (place < 20 && digit) c->stamp = c->stamp * 10 + (uint64_t)(byte - '0');
        else if (place > 20 && place < 29 && digit) c->sequence = c->sequence * 10 + (uint64_t)(byte - '0');
        else if (place == 29 && byte == '@') {
            c->filler = options.size > MARK ? (uint64_t)options.size - MARK : 0;
            if (!c->filler) mark(c);
        } else if (place != 20 || byte != ':') {
            place = 0; /* not a mark, and this byte may begin one */
            continue;
        }
        data++;
        place = place == 29 ? (c->filler ? FILLED : 0) : place + 1;
    }
    c->place = (uint8_t)place;
}

void truth_gone(struct conn *c, const char *why) {
    if (++truth.closed <= LINES) fprintf(stderr, "load: %s %ld: %s\n", c->role->name, c->number, why);
    broken = true;
    wire_close(c);
}

long truth_missing(void) { return truth.published - truth.delivered; }

/* Names the first few that are missing. */
static void name_missing(void) {
    long named = 0;
    for (long i = 0; i < options.conns; i++) {
        long channel = options.replay ? 0 : channel_of(i), step = options.replay ? 1 : options.channels;
        long each = options.replay ? options.replay : wanted_of(channel, sent);
        for (long place = 0; place < each && named <= LINES; place++)
            if (!(bits[(size_t)i * bits_each + (size_t)place / 8] & 1 << place % 8))
                untrue(&first[i], ++named, "misses", (uint64_t)(options.replay_from + channel + place * step));
    }
}

bool truth_holds(void) {
    if (truth_missing()) name_missing();
    return !(truth_missing() || truth.doubled || truth.disordered || truth.strayed || truth.damaged || truth.closed);
}
