/* floor: the least that a fan-out can cost. One thread, one epoll loop. GET makes a subscriber (a websocket, and one of
 * SockJS by its greeting); POST sends its body, quoted in a SockJS frame, to every subscriber by a plain loop of send(),
 * one call each, and is then answered. What a real server adds to this is its own cost.
 *
 * What it does not do: read HTTP beyond the method and Content-Length, channels, pings, queues. What a socket does not
 * take whole, what comes cut in the middle of a request, and a message beyond 65,535 bytes end it with a line, so that
 * no run in which it lost something looks like a result. A subscriber that goes leaves the list.
 *
 * built by: cc -std=c11 -O2 -Wall -Wextra -o floor floor.c
 * usage: floor PORT */
#define _GNU_SOURCE /* strcasestr */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DESCRIPTORS = 1 << 16, REQUEST = 1 << 17 };

static const char UPGRADE[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x01o";
static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"status\": 200}";
static int subscribers[DESCRIPTORS], place[DESCRIPTORS], count; /* `place`: of a descriptor in the list, from 1 on */

static void end(const char *why) {
    fprintf(stderr, "floor: %s\n", why);
    exit(1);
}

static void send_whole(int peer, const char *data, size_t size) {
    ssize_t taken = send(peer, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken != (ssize_t)size && (taken >= 0 || errno == EAGAIN)) /* else it has gone, as its next event says */
        end("a socket does not take it all, and here is no queue");
}

static void publish(const char *body, size_t size) {
    static char frame[2 * REQUEST];
    size_t n = 4;
    n += (size_t)sprintf(frame + n, "a[\"{\\\"message\\\":");
    for (size_t i = 0; i < size; i++) {
        if (body[i] == '"') frame[n++] = '\\';
        frame[n++] = body[i];
    }
    n += (size_t)sprintf(frame + n, ",\\\"sender_id\\\":null,\\\"channel\\\":\\\"bench\\\"}\"]");
    size_t payload = n - 4;
    char *start = frame;
    if (payload > 65535) end("too long a message");
    if (payload < 126) { start += 2; start[0] = (char)0x81; start[1] = (char)payload; }
    else { start[0] = (char)0x81; start[1] = 126; start[2] = (char)(payload >> 8); start[3] = (char)payload; }
    for (int i = 0; i < count; i++) send_whole(subscribers[i], start, (size_t)(frame + n - start));
}

/* Handles the first of the requests that have come, and says how long it was. */
static size_t handle(int peer, const char *request) {
    const char *body = strstr(request, "\r\n\r\n"), *length = strcasestr(request, "Content-Length: ");
    if (!body) end("half a request");
    body += 4;
    if (!memcmp(request, "GET ", 4)) {
        send_whole(peer, UPGRADE, sizeof UPGRADE - 1);
        subscribers[count++] = peer;
        place[peer] = count;
        return (size_t)(body - request);
    }
    size_t size = length && length < body ? strtoul(length + 16, NULL, 10) : 0;
    if (strlen(body) < size) end("half a request");
    publish(body, size);
    send_whole(peer, ANSWER, sizeof ANSWER - 1);
    return (size_t)(body - request) + size;
}

static void leave(int peer) {
    if (place[peer]) { /* the last of the list comes in its place */
        int last = subscribers[--count];
        subscribers[place[peer] - 1] = last;
        place[last] = place[peer];
        place[peer] = 0;
    }
    close(peer);
}

int main(int argc, char **argv) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit); limit.rlim_cur = limit.rlim_max; setrlimit(RLIMIT_NOFILE, &limit);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0), loop = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 9100)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096)) { perror("floor"); return 1; }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(loop, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            static char request[REQUEST];
            int peer = events[i].data.fd;
            if (peer == listener) {
                peer = accept(listener, 0, 0);
                if (peer < 0 || peer >= DESCRIPTORS) end("no more connections");
                setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                event.data.fd = peer;
                epoll_ctl(loop, EPOLL_CTL_ADD, peer, &event);
                continue;
            }
            ssize_t size = recv(peer, request, sizeof request - 1, 0);
            if (size <= 0) leave(peer);
            if (size <= 0 || place[peer]) continue; /* nobody listens to what a subscriber says */
            request[size] = 0;
            for (const char *next = request; next < request + size;) next += handle(peer, next);
        }
    }
}
