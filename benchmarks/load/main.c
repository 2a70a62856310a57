/* load: clients of a push server, on one epoll loop, and what the server costs meanwhile.
 *
 * It knows no server's protocol: what its clients say comes from the command line, and a delivery is a mark in the bytes
 * that come (see truth.c). Every one is counted. Loopback only.
 *
 * built by: cc -std=c11 -O2 -Wall -Wextra -o load *.c      (without floor.c, which is a program of its own)
 *
 * load --port P --pid PID...
 *   clients   --mode websocket|stream|poll|raw (websocket)  --path T (/)  --method GET|POST  --header LINE...
 *             --opening T...  --opening-path T  --greeting  --lockstep  --binary
 *             --pong TEXT REPLY: a message that is TEXT alone is answered with REPLY
 *             --conns N (100)  --channels C (1; client i is in channel i mod C)
 *             --parallel K (1): how many come up at once
 *   work, one of
 *             --publish http|websocket|raw  --publish-port P  --publish-path T  --publish-body T  --publish-header LINE...
 *                 --publish-dial-path T  --publish-opening T...  --publish-greeting  --publish-lockstep  --publish-binary
 *                 --messages M (100)  --publishers K (1)  --window W (1; requests under way)  --size BYTES (30)
 *                 --batch B (1; publications in a request, joined by commas)  --batch-head T  --batch-tail T
 *             --churn JOIN LEAVE JOINED LEFT  --cycles N (100)  --churners K (1): while the clients sit in their channels, K
 *                 more, who have sent all openings but the last, say JOIN, await JOINED, say LEAVE, await LEFT, N times each
 *             --replay N  --replay-from S (0): every client must get N marks, from number S on, by its openings alone
 *             --connect-only
 *   and       --settle MS (500)  --timeout S (30): nothing comes on for so long  --spin | --sleep (--spin)
 *
 * In every text T: %d the client's number, %6 the same in six digits, %r the run's number, which no other run has at the
 * time, %c the client's or the publication's channel, %n the publication's number, %p the payload, %l its length; and
 * \xNN \r \n \\ are read as in C.
 *
 * --spin: it asks for events again and again and never sleeps, while it connects and works. When it sleeps, a server's
 * send() pays for waking it, which costs the slower server more.
 *
 * Prints one JSON object (report.c), and what went wrong on stderr. Exit codes: 0 fine; 1 it could not connect, or the
 * server refused something; 2 usage; 3 a delivery was missing, doubled, late, strayed or damaged, or a connection was closed;
 * 4 time-out while connecting, or an answer that did not come. */
#include "load.h"

#include <stdio.h>

enum { LINGER_MS = 100 }; /* for doubles of the last message, and until the server sleeps: only then is its time booked */

static const struct role subscriber = {"subscriber", &options.subscriber, NULL, truth_scan, NULL, truth_gone, false};

static bool works_on(void) {
    if (options.publishes) return publish_more();
    if (options.churns) return cycles_done < options.cycles * options.churners;
    return options.replay && truth.delivered < truth.wanted;
}

/* Until all is done, or nothing has come on for too long. */
static void work(void) {
    progress = now();
    while (works_on() && !broken) {
        wire_turn(100);
        if (too_long_since(progress)) break;
    }
}

static int verdict(void) {
    int code = FINE;
    if ((options.publishes && publish_unanswered()) || (options.churns && works_on())) {
        fprintf(stderr, "load: an answer has not come in %g s\n", options.timeout_s);
        code = TIMED_OUT;
    }
    return truth_holds() ? code : UNTRUE;
}

static double since(double before) {
    double used = cpu_us();
    return before < 0 || used < 0 ? -1 : used - before;
}

int main(int argc, char **argv) {
    options_parse(argc, argv);
    struct conn *conns = conns_new(options.conns, &subscriber, 0);
    struct figures figures = {.memory_start_kib = memory_kib()};
    truth_open(conns);
    wire_open();
    double before = cpu_us(), own_before = own_cpu_us();
    figures.began = now();
    dial_all(&(struct waiting){.conns = conns, .count = options.conns});
    if (options.replay) work();
    wire_read_for(options.settle_ms, true);
    figures.connect_s = (double)(last_heard - figures.began) / 1e9;
    figures.connect_cpu_us = since(before);
    figures.memory_connected_kib = memory_kib();
    if (options.publishes) publish_open();
    if (options.churns) churn_open();
    if (options.publishes || options.churns) {
        wire_read_for(options.settle_ms, true);
        before = cpu_us(), own_before = own_cpu_us();
        figures.began = now();
        if (options.churns) churn_begin();
        work();
    }
    figures.ended = progress;
    wire_read_for(LINGER_MS, false);
    figures.server_cpu_us = since(before);
    figures.own_cpu_us = own_cpu_us() - own_before;
    figures.memory_end_kib = memory_kib();
    report(&figures);
    return verdict();
}
