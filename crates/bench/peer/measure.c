/* Includes an unmodified run.c or runq.c (-DSOURCE="...") and measures forward() with it. */
#define TESTING /* leaves its main() out */
#define main llama2c_main /* should it have one all the same */
#include SOURCE
#undef main

/* The words that the cycle model watches, as in crates/board-test/src/bench_board/marks.rs.
 * Not zero at first: only a store by the program is a mark. */
volatile unsigned BENCH_MARK[2] = {1, 1};

/* Keys and values of the usual size, as if all positions had been computed. */
static void fill_cache(Transformer *transformer) {
    Config *p = &transformer->config;
    int kv_dim = p->dim * p->n_kv_heads / p->n_heads;
    unsigned random = 0x9e3779b9;
    for (long i = 0; i < (long)p->n_layers * p->seq_len * kv_dim; i++) {
        random ^= random << 13, random ^= random >> 17, random ^= random << 5;
        transformer->state.key_cache[i] = (float)(random >> 8) / (1 << 23) - 1.0f;
        transformer->state.value_cache[i] = transformer->state.key_cache[i];
    }
}

void measure(void) {
    static Transformer transformer;
    static const int positions[] = {0, 127, 255};
    BENCH_MARK[1] = 0;
    build_transformer(&transformer, "model.bin");
    fill_cache(&transformer);
    for (int i = 0; i < 3; i++) {
        int token = (positions[i] + 1) % transformer.config.vocab_size;
        BENCH_MARK[0] = 0;
        float *logits = forward(&transformer, token, positions[i]);
        BENCH_MARK[0] = 0;
        BENCH_MARK[1] = 0;
        printf("segment between whole\nsegment pos%d whole\n", positions[i]);
        printf("logits %08x %08x\n", *(unsigned *)&logits[0], *(unsigned *)&logits[1]);
    }
    fflush(stdout);
    _exit(0);
}
