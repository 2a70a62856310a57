/* Texts with placeholders, and growing buffers. */
#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void bytes_add(struct bytes *to, const void *data, size_t size) {
    if (to->size + size + 1 > to->room) { /* one more, for the zero of vsnprintf */
        to->room = (to->size + size + 1) * 2;
        to->data = realloc(to->data, to->room);
        if (!to->data) {
            perror("load: memory");
            exit(REFUSED);
        }
    }
    if (size) memcpy(to->data + to->size, data, size);
    to->size += size;
}

void bytes_format(struct bytes *to, const char *format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    bytes_add(to, line, (size_t)size < sizeof line ? (size_t)size : sizeof line - 1);
}

static char escaped(const char **at, const char *source) {
    const char *s = ++*at;
    if (*s == 'r') return '\r';
    if (*s == 'n') return '\n';
    if (*s == '\\') return '\\';
    char digits[3] = {0};
    if (*s == 'x') memcpy(digits, s + 1, strnlen(s + 1, 2));
    char *end;
    long byte = strtol(digits, &end, 16);
    if (end != digits + 2) {
        fprintf(stderr, "load: unknown escape at \"%s\" in: %s\n", s - 1, source);
        exit(USAGE);
    }
    *at += 2;
    return (char)byte;
}

void text_parse(struct text *text, const char *source) {
    while (text->count) free(text->pieces[--text->count].bytes); /* what stood there by default */
    struct bytes literal = {0};
    for (const char *s = source;; s++) {
        bool placeholder = s[0] == '%' && s[1] && strchr("d6crnpl", s[1]);
        if ((placeholder || !*s) && literal.size) {
            text->pieces[text->count++] = (struct piece){0, literal.data, literal.size};
            literal = (struct bytes){0};
        }
        if (!*s) return;
        if (placeholder) text->pieces[text->count++] = (struct piece){*++s, NULL, 0};
        else {
            char byte = *s == '\\' ? escaped(&s, source) : *s;
            bytes_add(&literal, &byte, 1);
        }
        if (text->count > PIECES - 2) {
            fprintf(stderr, "load: too many placeholders in: %s\n", source);
            exit(USAGE);
        }
    }
}

void text_write(const struct text *text, const struct values *values, struct bytes *to) {
    for (const struct piece *piece = text->pieces; piece < text->pieces + text->count; piece++)
        switch (piece->placeholder) {
        case 0: bytes_add(to, piece->bytes, piece->size); break;
        case 'd': bytes_format(to, "%ld", values->number); break;
        case '6': bytes_format(to, "%06ld", values->number); break;
        case 'c': bytes_format(to, "%ld", values->channel); break;
        case 'r': bytes_format(to, "%d", (int)getpid()); break;
        case 'n': bytes_format(to, "%ld", values->sequence); break;
        case 'p': bytes_add(to, values->payload, values->payload_size); break;
        case 'l': bytes_format(to, "%zu", values->payload_size); break;
        }
}
