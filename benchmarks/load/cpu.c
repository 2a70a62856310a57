/* What a server costs, by the operating system's accounting: run time of every thread of its processes and of all their
 * children in nanoseconds (/proc/PID/task/TID/schedstat), memory with shared pages split up (Pss of smaps_rollup). */
#include "load.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { PROCESSES = 512 };
static int processes[PROCESSES], process_count;

static void for_each_thread(int pid, void (*visit)(int pid, const char *thread, void *to), void *to) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    if (!threads) return;
    for (struct dirent *entry; (entry = readdir(threads));)
        if (entry->d_name[0] != '.') visit(pid, entry->d_name, to);
    closedir(threads);
}

static FILE *open_of(int pid, const char *thread, const char *name) {
    char path[400];
    snprintf(path, sizeof path, "/proc/%d/task/%s/%s", pid, thread, name);
    return fopen(path, "r");
}

static void add_family(int pid);

static void add_children(int pid, const char *thread, void *to) {
    (void)to;
    FILE *file = open_of(pid, thread, "children");
    if (!file) return;
    for (int child; fscanf(file, "%d", &child) == 1;) add_family(child);
    fclose(file);
}

static void add_family(int pid) {
    if (process_count == PROCESSES) fail(USAGE, NULL, "the server has too many processes", NULL, 0);
    processes[process_count++] = pid;
    for_each_thread(pid, add_children, NULL);
}

static void find_processes(void) {
    process_count = 0;
    for (int i = 0; i < options.pid_count; i++) add_family(options.pids[i]);
}

static void add_run_time(int pid, const char *thread, void *to) {
    FILE *file = open_of(pid, thread, "schedstat");
    if (!file) return;
    unsigned long long nanoseconds;
    if (fscanf(file, "%llu", &nanoseconds) == 1) *(double *)to += (double)nanoseconds / 1e3;
    fclose(file);
}

double cpu_us(void) {
    double total = 0;
    find_processes();
    for (int i = 0; i < process_count; i++) for_each_thread(processes[i], add_run_time, &total);
    return total > 0 ? total : -1;
}

double own_cpu_us(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

long memory_kib(void) {
    long total = 0;
    find_processes();
    for (int i = 0; i < process_count; i++) {
        char path[64], line[256];
        snprintf(path, sizeof path, "/proc/%d/smaps_rollup", processes[i]);
        FILE *file = fopen(path, "r");
        if (!file) continue;
        for (long kib; fgets(line, sizeof line, file);)
            if (sscanf(line, "Pss: %ld", &kib) == 1) total += kib;
        fclose(file);
    }
    return total > 0 ? total : -1;
}
