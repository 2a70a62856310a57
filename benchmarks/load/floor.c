/* floor: the least that a fan-out can cost. One thread, one epoll loop; GET makes a subscriber (a websocket as far as
 * fanload looks), POST sends its body, quoted in a SockJS frame, to every subscriber by a plain loop of send().
 * No HTTP parsing worth the name, no queues, no errors handled: what a real server adds to this is its own cost.
 * usage: floor PORT */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *UPGRADE = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x01o";
static const char *ANSWER = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"status\": 200}";
static int subscribers[65536], count;

static void publish(const char *body, size_t size) {
    static char frame[1 << 20];
    size_t n = 4;
    n += sprintf(frame + n, "a[\"{\\\"message\\\":");
    for (size_t i = 0; i < size; i++) {
        if (body[i] == '"') frame[n++] = '\\';
        frame[n++] = body[i];
    }
    n += sprintf(frame + n, ",\\\"sender_id\\\":null,\\\"channel\\\":\\\"bench\\\"}\"]");
    size_t payload = n - 4;
    char *start = frame;
    if (payload < 126) { start += 2; start[0] = (char)0x81; start[1] = (char)payload; }
    else { start[0] = (char)0x81; start[1] = 126; start[2] = (char)(payload >> 8); start[3] = (char)payload; }
    for (int i = 0; i < count; i++) send(subscribers[i], start, (size_t)(frame + n - start), MSG_DONTWAIT | MSG_NOSIGNAL);
}

int main(int argc, char **argv) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit); limit.rlim_cur = limit.rlim_max; setrlimit(RLIMIT_NOFILE, &limit);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0), loop = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 9100),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096)) { perror("floor"); return 1; }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(loop, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            char request[1 << 16], *body, *length;
            int peer = events[i].data.fd;
            if (peer == listener) {
                peer = accept(listener, 0, 0);
                setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                event.data.fd = peer;
                epoll_ctl(loop, EPOLL_CTL_ADD, peer, &event);
                continue;
            }
            ssize_t size = recv(peer, request, sizeof request - 1, 0);
            if (size <= 0) { close(peer); continue; }
            request[size] = 0;
            if (!memcmp(request, "GET ", 4)) {
                send(peer, UPGRADE, strlen(UPGRADE), MSG_NOSIGNAL);
                subscribers[count++] = peer;
            } else if ((length = strstr(request, "Content-Length: ")) && (body = strstr(request, "\r\n\r\n"))) {
                publish(body + 4, (size_t)atoi(length + 16));
                send(peer, ANSWER, strlen(ANSWER), MSG_NOSIGNAL);
            }
        }
    }
}
