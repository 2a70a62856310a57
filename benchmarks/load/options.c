/* The command line. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct options options;

static char **word, **end; /* the arguments that have not been read yet */

static void usage(const char *what, const char *argument) {
    fprintf(stderr, "load: %s: %s (the head of main.c says what it understands)\n", argument, what);
    exit(USAGE);
}

static const char *value(const char *flag) {
    if (word == end) usage("needs a value", flag);
    return *word++;
}

static long number(const char *flag, long least, long most) {
    const char *text = value(flag);
    char *stop;
    long found = strtol(text, &stop, 10);
    if (stop == text || *stop || found < least || found > most) usage("not such a number", flag);
    return found;
}

static double seconds(const char *flag) {
    const char *text = value(flag);
    char *stop;
    double found = strtod(text, &stop);
    if (stop == text || *stop || !(found >= 0.1 && found <= 600)) usage("not such a time", flag);
    return found;
}

/* One value or more, up to the next flag. */
static void values(const char *flag, struct texts *to) {
    do {
        if (to->count == LISTED) usage("too many", flag);
        text_parse(&to->list[to->count++], value(flag));
    } while (word < end && strncmp(*word, "--", 2));
}

static void pids(const char *flag) {
    do {
        if (options.pid_count == PIDS) usage("too many", flag);
        options.pids[options.pid_count++] = (int)number(flag, 1, 1 << 30);
    } while (word < end && strncmp(*word, "--", 2));
}

static int chosen(const char *flag, const char *const *names) {
    const char *name = value(flag);
    for (int i = 0; names[i]; i++)
        if (!strcmp(names[i], name)) return i;
    usage("no such choice", flag);
    return 0;
}

static bool dial_option(const char *flag) {
    static const char *const modes[] = {"websocket", "stream", "poll", "raw", NULL}; /* in the order of enum mode */
    static const char *const methods[] = {"GET", "POST", NULL};
    struct dial *dial = &options.subscriber;
    if (!strcmp(flag, "--port")) dial->port = (int)number(flag, 1, 65535);
    else if (!strcmp(flag, "--mode")) dial->mode = (enum mode)chosen(flag, modes);
    else if (!strcmp(flag, "--method")) dial->post = chosen(flag, methods) == 1;
    else if (!strcmp(flag, "--path")) text_parse(&dial->path, value(flag));
    else if (!strcmp(flag, "--header")) values(flag, &dial->headers);
    else if (!strcmp(flag, "--opening")) values(flag, &dial->openings);
    else if (!strcmp(flag, "--opening-path")) text_parse(&dial->opening_path, value(flag));
    else if (!strcmp(flag, "--greeting")) dial->greeting = true;
    else if (!strcmp(flag, "--lockstep")) dial->lockstep = true;
    else if (!strcmp(flag, "--binary")) dial->binary = true;
    else return false;
    return true;
}

static bool publish_option(const char *flag) {
    static const char *const modes[] = {"http", "websocket", "raw", NULL};
    static const enum mode meant[] = {REQUESTS, WEBSOCKET, RAW};
    struct dial *dial = &options.publisher;
    if (!strcmp(flag, "--publish")) dial->mode = meant[chosen(flag, modes)], options.publishes = true;
    else if (!strcmp(flag, "--publish-port")) dial->port = (int)number(flag, 1, 65535);
    else if (!strcmp(flag, "--publish-path")) text_parse(&options.publish_path, value(flag));
    else if (!strcmp(flag, "--publish-body")) text_parse(&options.publish_body, value(flag));
    else if (!strcmp(flag, "--publish-header")) values(flag, &options.publish_headers);
    else if (!strcmp(flag, "--publish-dial-path")) text_parse(&dial->path, value(flag));
    else if (!strcmp(flag, "--publish-opening")) values(flag, &dial->openings);
    else if (!strcmp(flag, "--publish-greeting")) dial->greeting = true;
    else if (!strcmp(flag, "--publish-lockstep")) dial->lockstep = true;
    else if (!strcmp(flag, "--publish-binary")) dial->binary = true;
    else if (!strcmp(flag, "--messages")) options.messages = number(flag, 1, SEQUENCES - 1);
    else if (!strcmp(flag, "--publishers")) options.publishers = number(flag, 1, 4096);
    else if (!strcmp(flag, "--window")) options.window = number(flag, 1, 1 << 20);
    else if (!strcmp(flag, "--size")) options.size = number(flag, 0, 1 << 20);
    else if (!strcmp(flag, "--batch")) options.batch = number(flag, 1, 1 << 16);
    else if (!strcmp(flag, "--batch-head")) text_parse(&options.batch_head, value(flag));
    else if (!strcmp(flag, "--batch-tail")) text_parse(&options.batch_tail, value(flag));
    else return false;
    return true;
}

static bool other_option(const char *flag, bool *connects) {
    if (!strcmp(flag, "--pid")) pids(flag);
    else if (!strcmp(flag, "--conns")) options.conns = number(flag, 0, 1 << 20);
    else if (!strcmp(flag, "--channels")) options.channels = number(flag, 1, 1 << 20);
    else if (!strcmp(flag, "--parallel")) options.parallel = number(flag, 1, 1 << 20);
    else if (!strcmp(flag, "--churn")) {
        options.churns = true;
        text_parse(&options.join, value(flag));
        text_parse(&options.leave, value(flag));
        text_parse(&options.joined, value(flag));
        text_parse(&options.left, value(flag));
    } else if (!strcmp(flag, "--cycles")) options.cycles = number(flag, 1, 1 << 30);
    else if (!strcmp(flag, "--churners")) options.churners = number(flag, 1, 4096);
    else if (!strcmp(flag, "--replay")) options.replay = number(flag, 1, SEQUENCES - 1);
    else if (!strcmp(flag, "--replay-from")) options.replay_from = number(flag, 0, SEQUENCES - 1);
    else if (!strcmp(flag, "--connect-only")) *connects = true;
    else if (!strcmp(flag, "--pong")) {
        options.pongs = true;
        text_parse(&options.pong_to, value(flag));
        text_parse(&options.pong, value(flag));
    } else if (!strcmp(flag, "--settle")) options.settle_ms = number(flag, 0, 60000);
    else if (!strcmp(flag, "--timeout")) options.timeout_s = seconds(flag);
    else if (!strcmp(flag, "--spin")) options.spin = true;
    else if (!strcmp(flag, "--sleep")) options.spin = false;
    else return false;
    return true;
}

/* Every connection is a descriptor, and every connection keeps a bit for each publication of its channel. */
static void check_sizes(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    bool posts = options.subscriber.mode == STREAM || options.subscriber.mode == POLL;
    long needed = options.conns + options.publishers + options.churners + (posts ? options.parallel : 0) + 16;
    if (needed > (long)limit.rlim_max) {
        fprintf(stderr, "load: %ld descriptors needed, and ulimit -n allows %ld\n", needed, (long)limit.rlim_max);
        exit(USAGE);
    }
    long sequences = options.replay ? options.replay : options.messages / options.channels + 1;
    if (options.conns && sequences / 8 > (1l << 30) / options.conns) usage("too many for the memory", "--messages");
}

static void check(bool connects) {
    if (!options.subscriber.port) usage("is needed", "--port");
    if (options.publishes + options.churns + (options.replay > 0) + connects != 1)
        usage("one of these, please", "--publish, --churn, --replay, --connect-only");
    enum mode mode = options.subscriber.mode;
    if (options.churns && mode != WEBSOCKET && mode != RAW) usage("needs --mode websocket or raw", "--churn");
    if (options.churns && !options.subscriber.openings.count)
        usage("needs an --opening that subscribes, for those who stay", "--churn");
    if (options.messages % options.batch) usage("not a multiple of --batch", "--messages");
    if ((mode == STREAM || mode == POLL) && options.subscriber.openings.count && !options.subscriber.opening_path.count)
        usage("needs --opening-path", "--opening");
    check_sizes();
}

void options_parse(int argc, char **argv) {
    word = argv + 1, end = argv + argc;
    options = (struct options){.conns = 100, .channels = 1, .parallel = 1, .messages = 100, .publishers = 1,
                               .window = 1, .batch = 1, .cycles = 100, .churners = 1, .settle_ms = 500,
                               .timeout_s = 30, .spin = true};
    text_parse(&options.subscriber.path, "/");
    text_parse(&options.publisher.path, "/");
    text_parse(&options.publish_path, "/");
    text_parse(&options.publish_body, "{\"t\":\"%p\"}");
    bool connects = false;
    while (word < end) {
        const char *flag = *word++;
        if (!dial_option(flag) && !publish_option(flag) && !other_option(flag, &connects)) usage("unknown", flag);
    }
    if (!options.publisher.port) options.publisher.port = options.subscriber.port;
    options.publisher.headers = options.publish_headers;
    check(connects);
}

long channel_of(long number) { return number % options.channels; }

long members_of(long channel) {
    return options.conns / options.channels + (channel < options.conns % options.channels);
}
