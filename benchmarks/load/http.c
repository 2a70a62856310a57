/* HTTP/1.1: requests, and reading responses byte by byte as they come. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The example of RFC 6455, 1.3; a key need not be secret, and this one's answer is known. */
static const char KEY[] = "dGhlIHNhbXBsZSBub25jZQ==", ACCEPT[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

static bool named(const struct texts *headers, const char *name) {
    for (int i = 0; i < headers->count; i++) {
        const struct piece *first = headers->list[i].pieces;
        if (first->size >= strlen(name) && !strncasecmp(first->bytes, name, strlen(name))) return true;
    }
    return false;
}

static void request_line(struct bytes *to, const char *method, const struct text *path, const struct texts *headers,
                         int port, const struct values *values) {
    bytes_format(to, "%s ", method);
    text_write(path, values, to);
    bytes_format(to, " HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n", port);
    for (int i = 0; i < headers->count; i++) {
        text_write(&headers->list[i], values, to);
        bytes_add(to, "\r\n", 2);
    }
}

void http_request(struct bytes *to, bool post, const struct text *path, const struct texts *headers, int port,
                  const struct values *values, const struct bytes *body) {
    request_line(to, post ? "POST" : "GET", path, headers, port, values);
    if (post && body->size && !named(headers, "content-type:")) bytes_format(to, "Content-Type: application/json\r\n");
    if (post) bytes_format(to, "Content-Length: %zu\r\n", body->size);
    bytes_add(to, "\r\n", 2);
    bytes_add(to, body->data, body->size);
}

void http_upgrade(struct bytes *to, const struct dial *dial, const struct values *values) {
    request_line(to, "GET", &dial->path, &dial->headers, dial->port, values);
    bytes_format(to, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n");
    bytes_format(to, "Sec-WebSocket-Key: %s\r\n\r\n", KEY);
}

/* Takes bytes up to a line's end into c->line; false: it has not come yet. What is too long for it is cut. */
static bool line_taken(struct conn *c, const char **data, size_t *size) {
    const char *end = memchr(*data, '\n', *size);
    size_t part = end ? (size_t)(end - *data) : *size, room = sizeof c->line - 1 - c->line_size;
    memcpy(c->line + c->line_size, *data, part < room ? part : room);
    c->line_size += (uint16_t)(part < room ? part : room);
    *data += part + (end != NULL), *size -= part + (end != NULL);
    if (!end) return false;
    if (c->line_size && c->line[c->line_size - 1] == '\r') c->line_size--;
    c->line[c->line_size] = 0;
    c->line_size = 0;
    return true;
}

static const char *after(const char *line, const char *name) {
    size_t size = strlen(name);
    if (strncasecmp(line, name, size)) return NULL;
    return line + size + strspn(line + size, " \t");
}

static void header(struct conn *c) {
    const char *text;
    if ((text = after(c->line, "content-length:"))) c->left = strtoull(text, NULL, 10);
    else if ((text = after(c->line, "transfer-encoding:"))) c->chunked = strcasestr(text, "chunked") != NULL;
    else if ((text = after(c->line, "connection:"))) c->closes = strcasestr(text, "close") != NULL;
    else if ((text = after(c->line, "sec-websocket-accept:"))) c->accepted = !strcmp(text, ACCEPT);
}

static void status(struct conn *c) {
    const char *text = after(c->line, "HTTP/1.");
    if (!text || strlen(text) < 5) fail(REFUSED, c, "no HTTP answer", c->line, strlen(c->line));
    c->status = atoi(text + 2);
    c->left = UINT64_MAX; /* no length: the body ends with the connection */
    c->chunked = c->closes = c->accepted = false;
    c->reading = HEADERS;
}

static void response_ended(struct conn *c) {
    c->reading = STATUS;
    dial_ended(c);
}

static void head_ended(struct conn *c, const char *data, size_t size) {
    if (c->status / 100 == 1 && c->status != 101) {
        c->reading = STATUS; /* informational; the answer is still to come */
        return;
    }
    bool bodiless = c->status == 204 || c->status == 304;
    c->reading = c->chunked ? CHUNK_SIZE : c->left == UINT64_MAX ? UNTIL_CLOSE : COUNTED;
    dial_head(c, data, size);
    if (bodiless || (c->reading == COUNTED && !c->left)) response_ended(c);
}

static void body(struct conn *c, const char **data, size_t *size) {
    size_t part = c->left < *size ? (size_t)c->left : *size;
    const char *at = *data;
    *data += part, *size -= part;
    c->left -= c->reading == UNTIL_CLOSE ? 0 : part;
    dial_payload(c, at, part);
}

/* One step: a line, or a portion of the body. False: it ended a response or a head that changes what follows. */
static bool step(struct conn *c, const char **data, size_t *size) {
    switch (c->reading) {
    case COUNTED:
        body(c, data, size);
        if (c->left) return true;
        response_ended(c);
        return false;
    case CHUNK:
        body(c, data, size);
        if (!c->left) c->reading = CHUNK_END;
        return true;
    case UNTIL_CLOSE:
        body(c, data, size);
        return true;
    }
    if (!line_taken(c, data, size)) return true;
    switch (c->reading) {
    case STATUS: status(c); return true;
    case HEADERS:
        if (*c->line) header(c);
        else head_ended(c, *data, *size);
        return c->reading == HEADERS;
    case CHUNK_SIZE:
        c->left = strtoull(c->line, NULL, 16);
        c->reading = c->left ? CHUNK : TRAILER;
        return true;
    case CHUNK_END: c->reading = CHUNK_SIZE; return true;
    default: /* TRAILER */
        if (*c->line) return true;
        response_ended(c);
        return false;
    }
}

size_t http_feed(struct conn *c, const char *data, size_t size) {
    const char *from = data;
    while (size && step(c, &data, &size));
    return (size_t)(data - from);
}
