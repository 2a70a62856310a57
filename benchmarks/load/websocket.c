/* Frames of RFC 6455, 5.2: ours are masked, the server's are not. */
#include "load.h"

#include <stdio.h>
#include <string.h>

enum { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

void frame_write(struct bytes *to, int opcode, const void *data, size_t size) {
    static uint32_t mask = 0x9e3779b9;
    mask = mask * 1664525 + 1013904223; /* any will do: nobody between us and the server is to be fooled */
    unsigned char head[14] = {(unsigned char)(0x80 | opcode)}, *key;
    size_t used = 2;
    head[1] = 0x80 | (size < 126 ? (unsigned char)size : size < 65536 ? 126 : 127);
    if (size >= 126)
        for (int shift = size < 65536 ? 8 : 56; shift >= 0; shift -= 8) head[used++] = (unsigned char)(size >> shift);
    key = head + used;
    memcpy(key, &mask, 4);
    bytes_add(to, head, used + 4);
    bytes_add(to, data, size);
    for (size_t i = 0; i < size; i++) to->data[to->size - size + i] ^= (char)key[i % 4];
}

static void reply(struct conn *c, int opcode, const void *data, size_t size) {
    static struct bytes frame;
    frame.size = 0;
    frame_write(&frame, opcode, data, size);
    wire_send(c, frame.data, frame.size);
}

static size_t head_needed(const struct conn *c) {
    if (c->head_size < 2) return 2;
    return c->head[1] == 126 ? 4 : c->head[1] == 127 ? 10 : 2;
}

/* Takes the bytes of a head; false: not all have come. */
static bool head_taken(struct conn *c, const char **data, size_t *size) {
    while (*size && c->head_size < head_needed(c)) {
        c->head[c->head_size++] = (uint8_t)*(*data)++;
        --*size;
    }
    return c->head_size == head_needed(c);
}

static void frame_begun(struct conn *c) {
    c->left = c->head[1] & 0x7f;
    if (c->head[1] & 0x80) fail(UNTRUE, c, "the server masks its frames, which RFC 6455 forbids", NULL, 0);
    if (c->head[0] & 0x70) fail(UNTRUE, c, "a frame with an extension that nobody asked for", NULL, 0);
    if (c->left > 125) {
        c->left = 0;
        for (int i = 2; i < c->head_size; i++) c->left = c->left << 8 | c->head[i];
    }
    bool control = c->head[0] & 8;
    c->held_size = 0;
    c->gathers = c->left < sizeof c->held && (control || (options.pongs && c->left == options.pong_to.pieces[0].size));
}

static void frame_ended(struct conn *c) {
    int opcode = c->head[0] & 15;
    c->head_size = 0;
    if (opcode == PING) reply(c, PONG, c->held, c->held_size);
    else if (opcode == CLOSE) {
        bool coded = c->held_size >= 2;
        int code = coded ? (uint8_t)c->held[0] << 8 | (uint8_t)c->held[1] : 1005;
        char why[200];
        snprintf(why, sizeof why, "closed by the server with %d %.*s", code, coded ? c->held_size - 2 : 0, c->held + 2);
        dial_lost(c, why);
    } else if (opcode < 8 && c->head[0] & 0x80) {
        const struct piece *ping = options.pong_to.pieces, *pong = options.pong.pieces;
        if (c->gathers && !memcmp(c->held, ping->bytes, ping->size))
            reply(c, c->role->dial->binary ? BINARY : TEXT, pong->bytes, pong->size);
        else dial_ended(c);
    }
}

size_t frames_feed(struct conn *c, const char *data, size_t size) {
    const char *from = data;
    while (size && c->fd >= 0) {
        if (c->head_size < head_needed(c)) {
            if (!head_taken(c, &data, &size)) break;
            frame_begun(c);
        }
        size_t part = c->left < size ? (size_t)c->left : size;
        if (c->gathers) {
            memcpy(c->held + c->held_size, data, part);
            c->held_size += (uint8_t)part;
        }
        if (!(c->head[0] & 8)) c->role->payload(c, data, part);
        data += part, size -= part, c->left -= part;
        if (!c->left) frame_ended(c);
    }
    return (size_t)(data - from);
}
