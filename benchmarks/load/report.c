/* The result: one JSON object on stdout. What does not exist is null. */
#include "load.h"

#include <math.h>
#include <stdio.h>

static void integer(const char *name, int64_t value) { printf("\"%s\": %ld, ", name, value); }

static void number(const char *name, double value, bool exists) {
    if (exists && isfinite(value)) printf("\"%s\": %.3f, ", name, value);
    else printf("\"%s\": null, ", name);
}

/* `part` of `whole`; null without either. */
static void quotient(const char *name, double part, double whole) { number(name, part / whole, part >= 0 && whole > 0); }

static void percentiles(const char *prefix, const struct histogram *h) {
    static const struct { const char *name; double percent; } wanted[] = {{"p50", 50}, {"p99", 99}};
    char name[64];
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s%s_us", prefix, wanted[i].name);
        number(name, (double)histogram_percentile(h, wanted[i].percent), h->count);
    }
    snprintf(name, sizeof name, "%smax_us", prefix);
    number(name, (double)h->max, h->count);
}

static void settings(void) {
    static const char *const modes[] = {"websocket", "stream", "poll", "raw", "http"};
    printf("\"mode\": \"%s\", \"work\": \"%s\", \"publish\": ", modes[options.subscriber.mode],
           options.publishes ? "publish" : options.churns ? "churn" : options.replay ? "replay" : "connect");
    printf(options.publishes ? "\"%s\", " : "null, ", modes[options.publisher.mode]);
    integer("conns", options.conns);
    integer("channels", options.channels);
    integer("parallel", options.parallel);
    integer("messages", options.publishes ? options.messages : 0);
    integer("publishers", options.publishes ? options.publishers : 0);
    integer("window", options.publishes ? options.window : 0);
    integer("batch", options.batch);
    integer("size", options.size > MARK ? options.size : MARK);
    integer("replay", options.replay);
    integer("churners", options.churns ? options.churners : 0);
    integer("cycles", options.churns ? options.cycles : 0);
    printf("\"spin\": %s, ", options.spin ? "true" : "false");
}

static void counts(void) {
    integer("published", sent);
    integer("delivered", truth.delivered);
    integer("wanted", truth.wanted);
    integer("missing", truth_missing());
    integer("doubled", truth.doubled);
    number("disordered", (double)truth.disordered, options.publishers == 1);
    integer("strayed", truth.strayed);
    integer("damaged", truth.damaged);
    integer("closed", truth.closed);
}

void report(const struct figures *f) {
    printf("{");
    settings();
    counts();
    double seconds = (double)(f->ended - f->began) / 1e9;
    integer("began_ns", (int64_t)f->began); /* CLOCK_MONOTONIC, for those who measure beside it */
    integer("ended_ns", (int64_t)f->ended);
    number("seconds", seconds, f->ended > f->began);
    quotient("deliveries_per_s", truth.delivered ? (double)truth.delivered : -1, seconds);
    quotient("publications_per_s", sent ? (double)sent : -1, seconds);
    percentiles("", &truth.latency);
    percentiles("publish_", &answers);
    quotient("server_cpu_us_per_delivery", f->server_cpu_us, (double)truth.delivered);
    quotient("server_cpu_us_per_publication", f->server_cpu_us, (double)sent);
    quotient("generator_cpu_us_per_delivery", options.spin ? -1 : f->own_cpu_us, (double)truth.delivered);
    number("connect_s", f->connect_s, options.conns);
    quotient("connect_cpu_us", f->connect_cpu_us, (double)options.conns);
    bool remembered = f->memory_start_kib >= 0 && f->memory_connected_kib >= 0 && options.conns;
    number("kib_per_conn", (double)(f->memory_connected_kib - f->memory_start_kib) / (double)options.conns, remembered);
    number("memory_start_kib", (double)f->memory_start_kib, f->memory_start_kib >= 0);
    number("memory_end_kib", (double)f->memory_end_kib, f->memory_end_kib >= 0);
    quotient("cycles_per_s", cycles_done ? (double)cycles_done : -1, seconds);
    quotient("server_cpu_us_per_cycle", f->server_cpu_us, (double)cycles_done);
    percentiles("cycle_", &cycles);
    printf("\"cycles_done\": %ld}\n", cycles_done);
}
