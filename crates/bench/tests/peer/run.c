/* A stand-in for karpathy/llama2.c's run.c with the same public names, to test the building and
 * measuring of a checkout. Written for this test; it is not that program. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

typedef struct { int dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len; } Config;
typedef struct { float *x, *branch, *hidden, *scores, *logits, *key_cache, *value_cache; } RunState;
typedef struct { Config config; float *weights; RunState state; int fd; float *data; ssize_t file_size; } Transformer;

#ifdef QUANTISED
/* Version 2: "ak42", 2, Config, tied or not, weights to a scale; from byte 256 on the norms, then
 * for each matrix its bytes and its scales. */
static void read_header(Config *config, FILE *file) {
    int magic[2], group;
    char tied;
    if (fread(magic, sizeof magic, 1, file) != 1 || magic[0] != 0x616b3432 || magic[1] != 2) exit(1);
    if (fread(config, sizeof *config, 1, file) != 1) exit(1);
    if (fread(&tied, 1, 1, file) != 1 || fread(&group, sizeof group, 1, file) != 1) exit(1);
    if (tied != 1 || group != 64) exit(1);
}

static float *embedding(Config *p, float *data) {
    int size = p->vocab_size * p->dim;
    float *weights = malloc(size * sizeof(float));
    signed char *codes = (signed char *)(data + 64 + (2 * p->n_layers + 1) * p->dim);
    float *scales = (float *)(codes + size);
    for (int i = 0; i < size; i++) weights[i] = codes[i] * scales[i / 64];
    return weights;
}
#else
static void read_header(Config *config, FILE *file) {
    if (fread(config, sizeof *config, 1, file) != 1) exit(1);
}

static float *embedding(Config *p, float *data) { return data + sizeof *p / sizeof(float); }
#endif

void build_transformer(Transformer *t, char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) exit(1);
    read_header(&t->config, file);
    fseek(file, 0, SEEK_END);
    t->file_size = ftell(file);
    fclose(file);
    t->fd = open(path, O_RDONLY);
    t->data = mmap(NULL, t->file_size, PROT_READ, MAP_PRIVATE, t->fd, 0);
    if (t->data == MAP_FAILED) exit(1);
    t->weights = embedding(&t->config, t->data);
    Config *p = &t->config;
    long cache = (long)p->n_layers * p->seq_len * p->dim * p->n_kv_heads / p->n_heads;
    t->state.x = calloc(p->dim, sizeof(float));
    t->state.scores = calloc(p->seq_len, sizeof(float));
    t->state.logits = calloc(p->vocab_size, sizeof(float));
    t->state.key_cache = calloc(cache, sizeof(float));
    t->state.value_cache = calloc(cache, sizeof(float));
}

/* The classifier over the embedding of the token, after one head's attention: enough to depend on
 * token, position, weights and cache. */
float *forward(Transformer *t, int token, int pos) {
    Config *p = &t->config;
    RunState *s = &t->state;
    memcpy(s->x, t->weights + token * p->dim, p->dim * sizeof(float));
    for (int at = 0; at <= pos; at++) {
        s->scores[at] = 0;
        for (int i = 0; i < p->dim; i++) s->scores[at] += s->x[i] * s->key_cache[at * p->dim + i];
        float weight = expf(-fabsf(s->scores[at]));
        for (int i = 0; i < p->dim; i++) s->x[i] += weight * s->value_cache[at * p->dim + i];
    }
    for (int row = 0; row < p->vocab_size; row++) {
        s->logits[row] = 0;
        for (int i = 0; i < p->dim; i++) s->logits[row] += t->weights[row * p->dim + i] * s->x[i];
    }
    return s->logits;
}

long time_in_ms() {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

#ifndef TESTING
int main() { return 0; }
#endif
